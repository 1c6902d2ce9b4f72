import json

import pytest

from kosparse.cli import main
from kosparse.jsonl import read_json, write_records
from kosparse.records import SynonymEntry
from tests.data.make_corpus import write
from tests.fakes.llm_server import FakeLlmServer

pytestmark = pytest.mark.services
SET = ["--set", "generate_queries.max_passages=4", "--set", "filter_pairs.max_judged=4"]


@pytest.fixture(scope="module")
def server():
    with FakeLlmServer() as running:
        yield running


@pytest.fixture
def corpus(server, tmp_path, monkeypatch):
    values = {"LLM_BASE_URL": server.base_url, "LLM_MODEL": server.model, "KOSPARSE_CACHE": str(tmp_path / "cache")}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    for name in ("MLFLOW_TRACKING_URI", "S3_ENDPOINT", "LLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return str(write(tmp_path / "corpus"))


def test_documents_become_a_dataset_and_a_second_call_asks_nothing(corpus, server, tmp_path, capsys):
    write_records(tmp_path / "dictionary.jsonl", [SynonymEntry(ko="셀", en="cell", p=0.9)])
    call = ["pairs", "--corpus", corpus, "--output", str(tmp_path / "pairs"), *SET]
    call += ["--dictionary", str(tmp_path / "dictionary.jsonl")]

    assert main(call) == 0

    out = capsys.readouterr().out
    funnel = read_json(tmp_path / "pairs" / "steps" / "funnel")
    assert f"{funnel['kept']} of {funnel['generated']} pairs kept" in out
    pairs = [json.loads(line) for line in (tmp_path / "pairs" / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(pairs) == funnel["kept"] > 0
    asked = server.completions
    assert main(call) == 0
    assert server.completions - asked <= 3, "whether it is there, and nothing of the work"


def test_a_dictionary_that_is_not_there_stops_before_anything_is_asked(corpus, server, tmp_path, capsys):
    before = server.completions
    call = ["pairs", "--corpus", corpus, "--output", str(tmp_path / "pairs"), "--dictionary", str(tmp_path / "none")]
    assert main(call) == 2
    assert "no dictionary" in capsys.readouterr().err
    assert server.completions == before
