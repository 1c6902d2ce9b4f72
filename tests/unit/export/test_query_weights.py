import pytest

from kosparse.errors import InputError
from kosparse.export.query_weights import query_weights
from tests.fakes.tiny_sparse_encoder import write_tiny_sparse_encoder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_sparse_encoder(tmp_path_factory.mktemp("tiny"))


def test_weights_are_those_sentence_transformers_gives_a_query(model):
    from sentence_transformers import SparseEncoder

    plain = SparseEncoder(str(model), device="cpu")
    decoded = dict(plain.decode(plain.encode_query(["셀 보호"]))[0])
    weights = query_weights(model)
    assert decoded and all(weights[token] == pytest.approx(weight) for token, weight in decoded.items())


def test_special_tokens_are_left_out(model):
    assert not {"[CLS]", "[PAD]", "[UNK]"} & set(query_weights(model))


def test_a_model_that_encodes_queries_with_its_network_has_none(tmp_path):
    assert query_weights(tmp_path) is None


def test_a_tokenizer_larger_than_the_weights_is_refused(model, tmp_path):
    import numpy as np
    from safetensors.numpy import save_file

    folder = tmp_path / "query_0_SparseStaticEmbedding"
    folder.mkdir()
    tokenizer = (model / "query_0_SparseStaticEmbedding" / "tokenizer.json").read_text(encoding="utf-8")
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    save_file({"weight": np.ones(3, dtype=np.float32)}, str(folder / "model.safetensors"))
    with pytest.raises(InputError, match="the model weighs 3"):
        query_weights(tmp_path)


def test_weights_of_morphemes_are_those_with_a_positive_one(tmp_path):
    import json

    import numpy as np
    from safetensors.numpy import save_file

    from kosparse.export.query_weights import has_morphemes

    folder = tmp_path / "query_0_MorphemeQuery"
    folder.mkdir()
    (folder / "units.json").write_text(json.dumps(["셀", "표"]), encoding="utf-8")
    save_file({"weight": np.array([1.5, 0.0], dtype=np.float32)}, str(folder / "model.safetensors"))
    assert query_weights(tmp_path) == {"셀": 1.5} and has_morphemes(tmp_path)

    save_file({"weight": np.ones(3, dtype=np.float32)}, str(folder / "model.safetensors"))
    with pytest.raises(InputError, match="2 morphemes, the model weighs 3"):
        query_weights(tmp_path)
