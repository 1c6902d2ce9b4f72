import json
from pathlib import Path

import pytest

import kosparse.prompts
from kosparse.cli import main
from kosparse.jsonl import read_json, write_records
from kosparse.records import SynonymEntry
from tests.data.make_corpus import write
from tests.fakes.llm_server import FakeLlmServer
from tests.unit.evaluation.world import FakeEmbedder

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
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", FakeEmbedder)
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


def _calls(corpus, output, *more):
    every = ["generate_queries.max_passages=0", "generate_queries.redraws=0", "generate_documents.max_queries=0"]
    every += ["augment_queries.max_queries=0", "filter_pairs.judge=false", *more]
    return ["pairs", "--corpus", corpus, "--output", str(output), *(part for row in every for part in ("--set", row))]


def test_an_added_document_asks_its_own_question_alone(corpus, server, tmp_path):
    assert main(_calls(corpus, tmp_path / "pairs")) == 0
    again = server.completions
    assert main(_calls(corpus, tmp_path / "pairs")) == 0
    overhead = server.completions - again  # whether the model is there
    with open(f"{corpus}/corpus.jsonl", "a", encoding="utf-8") as file:
        text = "피벗 표는 원본 데이터가 바뀌어도 저절로 새로 고쳐지지 않으므로 새로 고침을 눌러야 합니다."
        file.write(json.dumps({"_id": "added", "title": "피벗 표 새로 고침", "text": text}, ensure_ascii=False) + "\n")
    asked = server.completions
    assert main(_calls(corpus, tmp_path / "pairs")) == 0
    assert server.completions - asked - overhead == 1


def test_another_prompt_asks_its_own_task_alone(corpus, server, tmp_path, monkeypatch):
    paraphrase = "augment_queries.max_queries=2"
    assert main(_calls(corpus, tmp_path / "pairs", paraphrase)) == 0
    again = server.completions
    assert main(_calls(corpus, tmp_path / "pairs", paraphrase)) == 0
    overhead = server.completions - again
    own = tmp_path / "prompts"
    own.mkdir()
    shipped = (Path(kosparse.prompts.__file__).parent / "augment_query.yaml").read_text(encoding="utf-8")
    changed = shipped.replace("system: |\n", "system: |\n  짧게 쓰세요.\n", 1)
    assert changed != shipped
    (own / "augment_query.yaml").write_text(changed, encoding="utf-8")
    monkeypatch.setenv("KOSPARSE_PROMPTS", str(own))
    asked = server.completions
    assert main(_calls(corpus, tmp_path / "pairs", paraphrase)) == 0
    assert server.completions - asked - overhead == 2


def test_no_pair_repeats_a_query_given_for_tests(corpus, server, tmp_path):
    assert main(_calls(corpus, tmp_path / "pairs")) == 0
    kept = [json.loads(line) for line in (tmp_path / "pairs" / "queries.jsonl").read_text("utf-8").splitlines()]
    queries = tmp_path / "queries.jsonl"
    line = json.dumps({"_id": "asked", "text": kept[0]["text"].upper()}, ensure_ascii=False)
    queries.write_text(line + "\n", encoding="utf-8")
    assert main([*_calls(corpus, tmp_path / "pairs"), "--queries", str(queries)]) == 0
    left = (tmp_path / "pairs" / "queries.jsonl").read_text("utf-8")
    assert kept[0]["text"] not in left
    assert read_json(tmp_path / "pairs" / "steps" / "funnel")["rejected"]["evaluation_query"] >= 1


def test_a_file_without_queries_stops_before_anything_is_asked(corpus, server, tmp_path, capsys):
    (tmp_path / "queries.jsonl").write_text('{"_id": "asked"}\n', encoding="utf-8")
    before = server.completions
    assert main([*_calls(corpus, tmp_path / "pairs"), "--queries", str(tmp_path / "queries.jsonl")]) == 2
    assert "no query in this file" in capsys.readouterr().err
    assert server.completions == before


def test_a_dictionary_that_is_not_there_stops_before_anything_is_asked(corpus, server, tmp_path, capsys):
    before = server.completions
    call = ["pairs", "--corpus", corpus, "--output", str(tmp_path / "pairs"), "--dictionary", str(tmp_path / "none")]
    assert main(call) == 2
    assert "no dictionary" in capsys.readouterr().err
    assert server.completions == before
