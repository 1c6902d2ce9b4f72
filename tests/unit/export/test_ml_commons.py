"""Four ways to the same weights: sentence-transformers, TorchScript, exported tokenizer with IDF, and the pyfunc."""

import hashlib
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer

from kosparse.errors import InputError
from kosparse.export.hashing import file_hash
from kosparse.export.ml_commons import WEIGHTLESS, write_ml_commons
from kosparse.export.query_weights import query_weights
from tests.data.make_corpus import write
from tests.fakes.opensearch_server import FakeOpenSearch
from tests.fakes.tiny_sparse_encoder import TEXTS, write_tiny_morpheme_encoder, write_tiny_sparse_encoder

QUERIES = ("셀 보호", "표 메뉴", "파일을 인쇄", "protect cells")


class InCluster:
    """What ml-commons makes of the zips: terms are named by decoding their id alone, special ones left out."""

    def __init__(self, folder):
        with zipfile.ZipFile(folder / "sparse_encoder.zip") as archive:
            self.tokenizer = Tokenizer.from_str(archive.read("tokenizer.json").decode())
            with archive.open("tiny.pt") as file:
                self.network = torch.jit.load(file)
        with zipfile.ZipFile(folder / "query_tokenizer.zip") as archive:
            self.query_tokenizer = Tokenizer.from_str(archive.read("tokenizer.json").decode())
            self.idf = json.loads(archive.read("idf.json"))

    def document(self, text):
        cut = self.tokenizer.encode(text)
        inputs = {"input_ids": torch.tensor([cut.ids]), "attention_mask": torch.tensor([cut.attention_mask])}
        weights = self.network(inputs)["output"][0].detach()
        named = [(self.tokenizer.decode([place], True), float(weights[place])) for place in weights.nonzero()[:, 0]]
        assert len(dict(named)) == len(named)
        return {term: weight for term, weight in named if term}

    def query(self, text):
        tokens = [self.query_tokenizer.decode([each], True) for each in set(self.query_tokenizer.encode(text).ids)]
        return {token: self.idf.get(token, 1.0) for token in tokens if token}


@pytest.fixture(scope="module", params=["bert", "modernbert"])
def exported(request, tmp_path_factory):
    """The model's folder, and the zips."""
    folder = tmp_path_factory.mktemp(request.param)
    model = write_tiny_sparse_encoder(folder, family=request.param)
    write_ml_commons(folder / "zips", model, query_weights(model), name="tiny")
    return model, folder / "zips"


def _named(row):
    """By term; dimensions that only pad the head have no name."""
    return {term: weight for term, weight in row if term is not None}


def _close(found, expected):
    names = {term for term in {**found, **expected} if not term.startswith("[")}
    assert names and all(abs(found.get(term, 0.0) - expected.get(term, 0.0)) < 1e-4 for term in names)


def _scores(queries, documents):
    queries, documents = [dict(each) for each in queries], [dict(each) for each in documents]
    return np.array([[sum(q * d.get(t, 0.0) for t, q in query.items()) for d in documents] for query in queries])


def test_four_ways_give_the_same_weights_and_the_same_ranking(exported):
    from sentence_transformers import SparseEncoder

    from kosparse.adapters.pyfunc_model import SparseEncoderModel

    model, zips = exported
    plain, inside = SparseEncoder(str(model), device="cpu"), InCluster(zips)
    documents = [_named(row) for row in plain.decode(plain.encode_document(list(TEXTS)))]
    queries = [_named(row) for row in plain.decode(plain.encode_query(list(QUERIES)))]
    pyfunc = SparseEncoderModel()
    pyfunc.encoder = plain

    ways = {
        "cluster": ([inside.query(text) for text in QUERIES], [inside.document(text) for text in TEXTS]),
        "pyfunc": tuple(
            list(pyfunc.predict(None, pd.DataFrame({"text": texts}), {"kind": kind})["weights"])
            for texts, kind in ((QUERIES, "query"), (TEXTS, "document"))
        ),
    }
    order = np.argsort(-_scores(queries, documents), axis=1, kind="stable")
    for found_queries, found_documents in ways.values():
        for found, expected in zip([*found_queries, *found_documents], [*queries, *documents], strict=True):
            _close(found, expected)
        assert (np.argsort(-_scores(found_queries, found_documents), axis=1, kind="stable") == order).all()


def test_four_ways_rank_the_evaluation_queries_of_a_collection_alike(tmp_path):
    """The fourth, the pyfunc, loads the model itself, as MLflow has it do."""
    from sentence_transformers import SparseEncoder

    from kosparse.adapters.pyfunc_model import SparseEncoderModel

    corpus = write(tmp_path / "corpus")
    texts, asked = (_texts(corpus / f"{name}.jsonl") for name in ("corpus", "queries"))
    model = write_tiny_sparse_encoder(tmp_path, [*texts, *asked])
    write_ml_commons(tmp_path / "zips", model, query_weights(model), name="tiny")
    plain, inside = SparseEncoder(str(model), device="cpu"), InCluster(tmp_path / "zips")
    loaded = SparseEncoderModel()
    loaded.load_context(SimpleNamespace(artifacts={"sparse_encoder": str(model)}))

    def pyfunc(kind, rows):
        return list(loaded.predict(None, pd.DataFrame({"text": rows}), {"kind": kind})["weights"])

    scores = _scores(plain.decode(plain.encode_query(asked)), plain.decode(plain.encode_document(texts)))
    assert scores.shape == (40, 40) and (scores > 0).any(axis=1).all()
    scripted = [inside.document(text) for text in texts]
    for queries, documents in (
        (plain.decode(plain.encode_query(asked)), scripted),
        ([inside.query(text) for text in asked], scripted),
        (pyfunc("query", asked), pyfunc("document", texts)),
    ):
        found = _scores(queries, documents)
        assert np.abs(found - scores).max() < 1e-3
        # What is nearer than rounding may change places: nobody is overtaken by more than that.
        order = np.argsort(-found, axis=1, kind="stable")
        assert (np.diff(np.take_along_axis(scores, order, axis=1), axis=1) < 2e-4).all()
        assert (order[:, 0] == scores.argmax(axis=1)).all()


def _texts(path):
    return [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_special_tokens_kept_as_a_list_weigh_nothing(tmp_path):
    listed = ("[KO]", "[EN]")
    model = write_tiny_sparse_encoder(tmp_path, listed=listed)
    settings = json.loads(next(model.rglob("tokenizer_config.json")).read_text(encoding="utf-8"))
    assert list(listed) in settings.values(), "the tokenizer names them as a list"

    write_ml_commons(tmp_path / "zips", model, query_weights(model), name="tiny")

    inside = InCluster(tmp_path / "zips")
    assert set(inside.idf).isdisjoint({*listed, "[CLS]", "[PAD]"})
    text = f"[KO] {TEXTS[0]}"
    ids = inside.tokenizer.encode(text).ids
    inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids)).long()}
    weights = inside.network(inputs)["output"][0]
    places = [inside.tokenizer.token_to_id(token) for token in (*listed, "[CLS]", "[PAD]")]
    assert places[0] in ids and not weights[places].any() and weights.any()
    assert "[KO]" not in inside.query(text)


def test_attention_is_written_out_as_opensearchs_runtime_needs_it(exported):
    graph = str(InCluster(exported[1]).network.inlined_graph)
    assert "aten::softmax" in graph and "scaled_dot_product_attention" not in graph


def test_opensearchs_own_client_registers_the_zips(exported):
    """Runs where opensearch-py-ml is installed: it declares an older pandas than we lock, so no lock can hold both."""
    absent = "opensearch-py-ml is not installed: it wants an older pandas than ours, so no lock file can hold both"
    ml = pytest.importorskip("opensearch_py_ml.ml_commons", reason=absent)
    from opensearchpy import OpenSearch

    with FakeOpenSearch() as cluster:
        client = ml.MLCommonClient(OpenSearch(cluster.url))
        for stem in ("sparse_encoder", "query_tokenizer"):
            archive, settings = exported[1] / f"{stem}.zip", exported[1] / f"{stem}.json"
            name = client.register_model(str(archive), str(settings), deploy_model=False)
            told, content = cluster.models[name]
            assert content == archive.read_bytes()
            assert told["model_content_hash_value"] == hashlib.sha256(content).hexdigest()
            assert told["model_content_size_in_bytes"] == len(content) and told["total_chunks"] == 1


def test_texts_of_a_batch_weigh_what_they_weigh_alone(exported):
    inside = InCluster(exported[1])
    cuts = [inside.tokenizer.encode(text).ids for text in TEXTS]
    longest = max(map(len, cuts))
    ids = torch.tensor([cut + [0] * (longest - len(cut)) for cut in cuts])
    mask = torch.tensor([[1] * len(cut) + [0] * (longest - len(cut)) for cut in cuts])
    together = inside.network({"input_ids": ids, "attention_mask": mask})["output"]
    for row, cut in zip(together, cuts, strict=True):
        alone = inside.network({"input_ids": torch.tensor([cut]), "attention_mask": torch.ones(1, len(cut)).long()})
        assert torch.allclose(row, alone["output"][0], atol=1e-5)


def test_the_configuration_names_function_size_and_hash(exported):
    for stem, function in (("sparse_encoder", "SPARSE_ENCODING"), ("query_tokenizer", "SPARSE_TOKENIZE")):
        config = json.loads((exported[1] / f"{stem}.json").read_text(encoding="utf-8"))
        archive = exported[1] / f"{stem}.zip"
        assert (config["function_name"], config["model_format"]) == (function, "TORCH_SCRIPT")
        assert config["model_content_size_in_bytes"] == archive.stat().st_size
        assert config["model_content_hash_value"] == file_hash(archive)


def test_a_token_without_a_weight_does_not_weigh_the_1_that_ml_commons_gives_unknown_ones(exported, tmp_path):
    weights = query_weights(exported[0])
    token = next(iter(weights))
    del weights[token]
    write_ml_commons(tmp_path, exported[0], weights, name="tiny")
    assert InCluster(tmp_path).idf[token] == WEIGHTLESS


def test_new_query_weights_make_a_new_tokenizer_and_leave_the_encoder_as_it_is(exported, tmp_path):
    doubled = {token: 2 * weight for token, weight in query_weights(exported[0]).items()}
    write_ml_commons(tmp_path, exported[0], doubled, name="tiny")

    def version(folder, stem):
        return json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))["version"]

    assert version(tmp_path, "sparse_encoder") == version(exported[1], "sparse_encoder")
    assert version(tmp_path, "query_tokenizer") != version(exported[1], "query_tokenizer")


def test_a_head_padded_beyond_the_vocabulary_gives_no_terms_without_a_name(exported):
    inside = InCluster(exported[1])
    cut = inside.tokenizer.encode(TEXTS[0])
    inputs = {"input_ids": torch.tensor([cut.ids]), "attention_mask": torch.tensor([cut.attention_mask])}
    assert inside.network(inputs)["output"].shape[1] == inside.tokenizer.get_vocab_size()


def test_a_model_over_morphemes_cannot_be_traced(tmp_path):
    from kosparse.sparse.torchscript import write_torchscript

    with pytest.raises(InputError, match="cannot use the model"):
        write_torchscript(write_tiny_morpheme_encoder(tmp_path), tmp_path / "model.pt")
