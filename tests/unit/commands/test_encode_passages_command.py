"""``kosparse encode-passages``: a collection into shards, and the index that is built by way of them."""

import numpy as np
import pytest

from kosparse.cli import main
from kosparse.jsonl import write_records
from kosparse.records import Passage
from kosparse.sparse.encoding import load_shards
from kosparse.sparse.search import SparseIndex
from tests.fakes.tiny_sparse_encoder import TEXTS, write_tiny_sparse_encoder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_tiny_sparse_encoder(folder).rename(folder / "model")
    rows = [Passage(id=f"{n}#0", document_id=str(n), position=0, text=text) for n, text in enumerate(TEXTS)]
    write_records(folder / "passages.jsonl", rows)
    return folder


def test_a_runs_passages_become_shards(run, tmp_path, capsys):
    arguments = ["encode-passages", "--run", str(run), "--output", str(tmp_path), "--top-k", "2"]

    assert main(arguments) == 0
    ids, weights = load_shards(tmp_path)
    assert ids == ["0#0", "1#0", "2#0", "3#0"] and np.diff(weights.indptr).tolist() == [2, 2, 2, 2]
    assert "4 passages" in capsys.readouterr().out

    assert main(arguments) == 0
    assert "0 shards written now" in capsys.readouterr().out

    assert main([*arguments, "--precision", "bf16"]) == 0
    assert "1 shards written now" in capsys.readouterr().out


def test_parts_are_encoded_apart_and_are_the_whole_together(run, tmp_path, capsys):
    for part in ("1/2", "2/2"):
        assert main(["encode-passages", "--run", str(run), "--output", str(tmp_path), "--part", part]) == 0
    # The MD5 of "1#0" and "3#0" is even, that of the others odd.
    assert load_shards(tmp_path / "part-00001-of-00002")[0] == ["1#0", "3#0"]
    assert load_shards(tmp_path / "part-00002-of-00002")[0] == ["0#0", "2#0"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("part", ["0/3", "4/3", "2", "a/b", "-1/3", "1/0"])
def test_a_part_that_cannot_be_is_refused(part, run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["encode-passages", "--run", str(run), "--output", str(tmp_path), f"--part={part}"])
    assert f"{part} is not a part such as 2/32" in capsys.readouterr().err


def test_a_pruning_that_makes_no_sense_is_bad_input(run, tmp_path, capsys):
    assert main(["encode-passages", "--run", str(run), "--output", str(tmp_path), "--max-ratio", "2"]) == 2
    assert "max_ratio in [0, 1]" in capsys.readouterr().err


def test_an_index_is_encoded_once_and_leaves_no_shards(run, tmp_path):
    index = SparseIndex.open(run / "model", run / "passages.jsonl", tmp_path / "index")

    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == ["passages.json", "weights.npz"]
    again = SparseIndex.open(run / "model", run / "passages.jsonl", tmp_path / "index")
    assert (again.weights != index.weights).nnz == 0 and again.passage_ids == index.passage_ids
