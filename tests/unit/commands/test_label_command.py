import json
import re

import pytest

from kosparse.cli import main
from tests.fakes.tiny_sparse_encoder import write_tiny_sparse_encoder
from tests.unit.evaluation.world import FakeEmbedder, write_world


@pytest.fixture
def run(tmp_path, monkeypatch):
    paths = write_world(tmp_path / "world")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "documents.jsonl").symlink_to(paths["documents"])
    (folder / "passages.jsonl").symlink_to(paths["passages"])
    (folder / "model").symlink_to(write_tiny_sparse_encoder(tmp_path / "encoder"))
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", FakeEmbedder)
    return folder


def _make(run, tmp_path, *more):
    (tmp_path / "queries.txt").write_text("셀 보호\nzzz\n", encoding="utf-8")
    page = tmp_path / "label.html"
    status = main(["label", "make", str(tmp_path / "queries.txt"), "--run", str(run), "--output", str(page), *more])
    return status, page


def test_the_page_pools_the_results_of_the_systems(run, tmp_path, capsys):
    status, page = _make(run, tmp_path, "--depth", "2")
    assert status == 0
    data = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.S)[1]
    queries = {query["text"]: query["documents"] for query in json.loads(data)["queries"]}
    assert "calc/protect" in queries["셀 보호"] and len(queries["셀 보호"]) >= 2
    assert "judgements to make" in capsys.readouterr().out


def test_one_system_alone_says_for_what_it_finds_nothing(run, tmp_path, capsys):
    assert _make(run, tmp_path, "--systems", "bm25_kiwi")[0] == 0
    assert "nothing was found for 1: zzz" in capsys.readouterr().out


def test_an_unknown_system_is_a_mistake_of_the_caller(run, tmp_path, capsys):
    assert _make(run, tmp_path, "--systems", "splade")[0] == 2
    assert "splade" in capsys.readouterr().err


def test_saved_judgements_become_files_for_the_next_run(tmp_path, capsys):
    saved = {"judge": "가", "queries": {"q1": "셀"}, "judgements": {"q1": {"a": 2, "b": 0}}}
    (tmp_path / "j.json").write_text(json.dumps(saved), encoding="utf-8")
    assert main(["label", "read", str(tmp_path / "j.json"), "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "qrels" / "test.tsv").read_text().splitlines()[1:] == ["q1\ta\t2", "q1\tb\t0"]
    assert "2 judgements; 1 queries have a relevant document" in capsys.readouterr().out
