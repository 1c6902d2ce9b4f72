import pytest

from kosparse.cli import main
from kosparse.llm.cache import CachedChatModel
from kosparse.llm.segments import read_responses
from kosparse.ports import ChatRequest
from tests.fakes.chat import FakeChatModel


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A cache with two answers of one model and one of another."""
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path))
    for model, count in (("small", 2), ("large", 1)):
        inner = FakeChatModel(lambda request: "답", model=model)
        requests = [ChatRequest(({"role": "user", "content": str(n)},)) for n in range(count)]
        list(CachedChatModel(inner, tmp_path / "llm" / "responses.sqlite").complete(requests))
    return tmp_path


def test_stats_count_by_model(kept, capsys):
    assert main(["cache", "stats"]) == 0
    printed = capsys.readouterr().out
    assert "small: 2 answers" in printed and "large: 1 answers" in printed


def test_export_writes_one_models_answers(kept):
    assert main(["cache", "export", str(kept / "out.jsonl.gz"), "--model", "small"]) == 0
    rows = list(read_responses(kept / "out.jsonl.gz"))
    assert [row.model for row in rows] == ["small", "small"] and '"답"' in rows[0].completion


def test_prune_forgets_what_is_older(kept, capsys):
    assert main(["cache", "prune", "--days", "1"]) == 0
    assert main(["cache", "prune", "--days=-1", "--model", "large"]) == 0
    assert capsys.readouterr().out == "0 answers forgotten\n1 answers forgotten\n"


def test_no_cache_and_no_place_to_write_are_told(tmp_path, monkeypatch, kept):
    assert main(["cache", "export", str(kept / "none" / "out.gz")]) == 4
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path / "empty"))
    assert main(["cache", "stats"]) == 2
