"""A collection is encoded in shards: pruned on the way, resumed by shard, never half-written."""

import multiprocessing
import os
import time

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from kosparse.errors import ConfigError, InputError, ResourceError
from kosparse.sparse import encoding
from kosparse.sparse.encoding import encode_to_shards, load_shards
from kosparse.sparse.model import SparseModel, load_sparse_model
from kosparse.sparse.pruning import Pruning, keep_heaviest
from tests.fakes.tiny_sparse_encoder import TEXTS, write_tiny_morpheme_encoder, write_tiny_sparse_encoder

IDS = [f"{number}#0" for number in range(len(TEXTS))]
WEIGHTS = csr_matrix(np.array([[0.5, 2.0, 0.5, 1.0], [0.0, 0.0, 0.3, 0.0], [0.0] * 4], dtype=np.float32))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_sparse_encoder(tmp_path_factory.mktemp("encoding"))


@pytest.fixture
def encoded(monkeypatch):
    """The texts that went through the encoder."""
    texts = []
    original = SparseModel.encode_documents
    monkeypatch.setattr(
        SparseModel, "encode_documents", lambda self, given, *more: texts.extend(given) or original(self, given, *more)
    )
    return texts


def shards(model, folder, texts=TEXTS, ids=IDS, **options):
    return encode_to_shards(model, ids, texts, folder, shard=2, **options)


def test_shards_hold_what_the_model_gives(model, tmp_path):
    assert shards(model, tmp_path) == 2

    ids, weights = load_shards(tmp_path)
    assert ids == IDS
    assert weights.toarray() == pytest.approx(load_sparse_model(model).encode_documents(TEXTS).toarray(), abs=1e-6)


def test_the_heaviest_terms_are_kept():
    assert keep_heaviest(WEIGHTS, 2).toarray().tolist()[0] == [0.0, 2.0, 0.0, 1.0]
    # Of two equal weights the first stays.
    assert keep_heaviest(WEIGHTS, 3).toarray().tolist()[0] == [0.5, 2.0, 0.0, 1.0]
    assert keep_heaviest(WEIGHTS, 9).toarray().tolist() == WEIGHTS.toarray().tolist()


def test_both_prunings_hold_together():
    # Half of the first row's largest, 2, keeps 2 and 1; then the heaviest of each row.
    assert Pruning(max_ratio=0.5)(WEIGHTS).toarray().tolist()[0] == [0.0, 2.0, 0.0, 1.0]
    assert Pruning(top_k=1, max_ratio=0.5)(WEIGHTS).nnz == 2


def test_shards_are_pruned_on_the_way(model, tmp_path):
    shards(model, tmp_path, pruning=Pruning(top_k=3))
    _, weights = load_shards(tmp_path)
    assert np.diff(weights.indptr).tolist() == [3, 3, 3, 3]


def test_a_run_that_was_killed_encodes_only_what_is_missing(model, tmp_path, encoded):
    shards(model, tmp_path)
    whole = load_shards(tmp_path)[1].toarray()
    (tmp_path / "weights-00001.parquet").unlink()
    encoded.clear()

    assert shards(model, tmp_path) == 1
    assert encoded == list(TEXTS[2:])
    assert (load_shards(tmp_path)[1].toarray() == whole).all()


def test_a_changed_text_changes_its_shard_alone(model, tmp_path, encoded):
    shards(model, tmp_path)
    encoded.clear()
    assert shards(model, tmp_path, texts=[*TEXTS[:3], "다른 글"]) == 1
    assert encoded == [TEXTS[2], "다른 글"]


def test_another_pruning_is_another_shard(model, tmp_path):
    shards(model, tmp_path)
    assert shards(model, tmp_path, pruning=Pruning(max_ratio=0.1)) == 2


@pytest.mark.parametrize("write", [write_tiny_sparse_encoder, write_tiny_morpheme_encoder])
def test_half_precision_gives_about_the_same_and_is_another_shard(write, tmp_path):
    made = write(tmp_path / "made")
    shards(made, tmp_path / "shards")
    single = load_shards(tmp_path / "shards")[1].toarray()

    assert shards(made, tmp_path / "shards", precision="bf16") == 2
    half = load_shards(tmp_path / "shards")[1]
    assert half.dtype == np.float32 and half.toarray() == pytest.approx(single, abs=0.02)
    assert (half.toarray() != single).any()
    assert shards(made, tmp_path / "shards", precision="bf16") == 0


@pytest.mark.parametrize("content", [b"", b"PAR1 cut off", b"not parquet at all"])
def test_a_shard_that_is_not_whole_is_said_and_encoded_again(model, tmp_path, content, capsys):
    shards(model, tmp_path)
    (tmp_path / "weights-00000.parquet").write_bytes(content)

    assert shards(model, tmp_path) == 1
    assert "weights-00000.parquet is not a shard of ours or not whole" in capsys.readouterr().err


def test_shards_of_a_longer_collection_are_removed(model, tmp_path):
    shards(model, tmp_path)
    shards(model, tmp_path, texts=TEXTS[:2], ids=IDS[:2])
    assert load_shards(tmp_path)[0] == IDS[:2]


def test_a_full_disk_loses_no_shard_that_was_written(model, tmp_path, monkeypatch):
    replaced = os.replace

    def full(source, target):
        if str(target).endswith("00001.parquet"):
            raise OSError(28, "No space left on device")
        replaced(source, target)

    monkeypatch.setattr(encoding.os, "replace", full)
    with pytest.raises(ResourceError, match="No space left"):
        shards(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["weights-00000.parquet"]


def test_a_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(InputError, match="no encoded passages"):
        load_shards(tmp_path)
    (tmp_path / "weights-00000.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match="not a shard"):
        load_shards(tmp_path)


def test_a_process_that_dies_is_said_and_the_shards_written_so_far_are_kept(model, tmp_path, monkeypatch):
    loaded, write = load_sparse_model(model), encoding._write

    def dies(model, task):
        if task.path.name == "weights-00001.parquet":
            while not (tmp_path / "weights-00000.parquet").exists():
                time.sleep(0.01)
            os._exit(9)
        return write(model, task)

    def start(*_):
        torch.set_num_threads(1)
        encoding._here.append(loaded)

    with monkeypatch.context() as patch:
        # Copies of this process, which has torch already.
        patch.setattr(encoding, "get_context", lambda _: multiprocessing.get_context("fork"))
        patch.setattr(encoding, "_start", start)
        patch.setattr(encoding, "_write", dies)
        with pytest.raises(ResourceError, match="a process that encodes has died") as caught:
            shards(model, tmp_path, processes=2)
    assert caught.value.where == str(model) and "fewer processes" in caught.value.fix

    assert shards(model, tmp_path) == 1
    assert load_shards(tmp_path)[0] == IDS


@pytest.mark.slow  # every process imports torch anew
def test_several_processes_write_the_same_shards(model, tmp_path):
    shards(model, tmp_path / "one")
    shards(model, tmp_path / "two", processes=2)
    one, two = load_shards(tmp_path / "one"), load_shards(tmp_path / "two")
    assert one[0] == two[0]
    assert one[1].toarray() == pytest.approx(two[1].toarray(), abs=1e-6)


def test_no_passages_make_no_shards(model, tmp_path):
    assert shards(model, tmp_path, texts=[], ids=[]) == 0


@pytest.mark.parametrize("wrong", [{"top_k": -1}, {"max_ratio": 1.5}, {"max_ratio": float("nan")}])
def test_a_pruning_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError, match="cannot keep"):
        Pruning(**wrong)
