"""What a run will ask, worked by hand on two documents."""

import json
import math

import pytest

from kosparse.adapters import store_s3
from kosparse.cli import main
from kosparse.commands import estimate as estimate_command
from kosparse.commands.hardware import Hardware, this_machine
from kosparse.errors import ConfigError
from kosparse.llm.accounting import Prices
from kosparse.llm.estimate import Collection, check_settings, estimate
from kosparse.llm.memory import DeviceMemory
from tests.fakes.memory_store import MemoryStore

COLLECTION = Collection(documents=10, passages=20, passage_characters=600.0)


def row(step, **settings):
    [found] = [row for row in estimate(COLLECTION, {step: settings}) if row.step == step]
    return found


def test_calls_follow_from_the_settings_and_the_collection():
    assert row("generate_queries", max_passages=0).calls == 20
    assert row("generate_queries", max_passages=5, queries_per_passage=4).calls == 5 * 2  # three types a call
    few, types = {"max_candidates": 10, "labelled_pairs": 7}, 2 * (10 + 16)
    assert row("verify_synonyms", **few).calls == (2 + 2 + 4) * 17 + types
    assert row("verify_synonyms", **few).completion_tokens == (2 + 2 * 4 + 4) * 17 + types
    assert row("verify_synonyms", **few, relations="form").calls == (2 + 2 + 4) * 17
    assert row("verify_synonyms", strategy="low").calls == 0
    every = {step.step: step for step in estimate(COLLECTION, {"verify_synonyms": {**few, "strategy": "high"}})}
    assert every["verify_synonyms"].calls == (2 + 2 + 4) * 3007 + 2 * (3000 + 16)  # all that mining may give
    assert row("generate_documents", max_queries=3, grades=[3, 2, 1]).calls == 9
    assert row("filter_pairs", judge=False).calls == 0
    pairs = 3 * 20 + 12 + 2 * 2  # no more are judged; three of a passage at once, where told so
    assert row("filter_pairs", max_judged=10_000).calls == pairs
    assert row("filter_pairs", max_judged=10_000, judge_together=8).calls == math.ceil(pairs / 3)


def test_longer_excerpts_are_more_prompt_tokens():
    short, long = (row("generate_queries", excerpt_characters=size) for size in (150, 450))
    assert long.prompt_tokens - short.prompt_tokens == pytest.approx(20 * 300 / 1.5, abs=1)
    assert row("generate_queries", max_tokens=5).completion_tokens == 20 * 5


def test_hours_end_with_the_budget_and_money_follows_the_prices():
    found = row("generate_queries", budget_seconds=7200)
    assert found.hours(0) == 2.0
    assert found.hours(found.completion_tokens / 3600) == pytest.approx(1.0)
    assert row("filter_pairs", judge=False).hours(0) == 0.0
    assert found.cost(Prices(input=2.0)) == pytest.approx(found.prompt_tokens * 2e-6)


@pytest.mark.parametrize("settings", [{"generate_query": {}}, {"generate_queries": {"max": 1}}, {"serve_llm": 3}])
def test_settings_nobody_knows_are_refused(settings):
    with pytest.raises(ConfigError):
        check_settings(settings)


def test_the_command_prints_steps_and_sum(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LLM_PRICE_OUTPUT", "1000000")
    corpus = tmp_path / "corpus.jsonl"
    rows = [{"_id": str(n), "text": "시트의 셀을 보호합니다. " * 20} for n in range(3)]
    corpus.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "arguments.json").write_text(json.dumps({"corpus": "x", "generate_queries": {"max_passages": 2}}))

    given = ["estimate", "--corpus", str(corpus), "--config", str(tmp_path / "arguments.json")]
    assert main([*given, "--set", "filter_pairs.judge=false"]) == 0
    printed = capsys.readouterr().out.splitlines()

    assert printed[0] == "3 documents, about 3 passages"
    assert any(line.startswith("machine ") for line in printed)
    assert any(line.startswith("time    0.") and "training at most 0.1" in line for line in printed)
    assert any(line.startswith("disk    0.0 GB") for line in printed)
    lines = {line.split()[0]: line.split() for line in printed[2:] if line}
    assert lines["generate_queries"][1] == "2" and lines["filter_pairs"][1] == "0"
    assert float(lines["all"][5]) == float(lines["all"][3].replace(",", ""))  # one unit of money per token written


def test_memory_is_that_of_the_model_at_its_precision(tmp_path, capsys):
    corpus = tmp_path / "my.csv"
    corpus.write_text("본문\n시트의 셀을 보호합니다\n", encoding="cp949")
    settings = ["serve_llm.model=openai/gpt-oss-20b", "serve_llm.quantization=mxfp4"]
    assert main(["estimate", "--corpus", str(corpus), *(word for each in settings for word in ("--set", each))]) == 0
    memory = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("memory"))
    assert 12 < float(memory.split()[1]) < 24 and "mxfp4" in memory  # 12.8 GB of weights are published


GIB = 2**30
SMALL = Hardware(1, DeviceMemory("cpu", 4 * GIB, 2 * GIB))
LARGE = Hardware(64, DeviceMemory("cpu", 256 * GIB, 200 * GIB), (DeviceMemory("cuda:0 H200", 140 * GIB, 139 * GIB),))


@pytest.fixture
def on(tmp_path, capsys, monkeypatch):
    """Estimate three documents of 60 characters, on a machine one does not have; the lines by their first word."""
    monkeypatch.delenv("LLM_BASE_URL", raising=False)
    corpus = tmp_path / "corpus.jsonl"
    rows = [{"_id": str(n), "text": "가" * 60} for n in range(3)]
    corpus.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    model = ["--set", "serve_llm.model=openai/gpt-oss-20b", "--set", "serve_llm.quantization=mxfp4"]

    def estimated(machine, address=str(corpus)):
        monkeypatch.setattr(estimate_command, "this_machine", lambda: machine)
        assert main(["estimate", "--corpus", address, *model]) == 0
        found = {}
        for line in capsys.readouterr().out.splitlines():
            found.setdefault(line.split()[0], []).append(line)
        return found

    return estimated


def test_the_machine_decides_the_hours_and_whether_it_fits(on):
    small, large = on(SMALL), on(LARGE)
    assert small["machine"] == ["machine 1 core; free memory of cpu: 2.1 of 4.3 GB"]
    free = "cuda:0 H200: 149.3 of 150.3 GB, cpu: 214.7 of 274.9 GB"
    assert large["machine"] == [f"machine 64 cores; free memory of {free}"]
    assert "all else about 0.2 on 1 core" in small["time"][0]  # 300.75 s on two
    assert "all else about 0.0 on 64 cores, less by the GPU" in large["time"][0]
    assert "does NOT fit into the 2.1 GB free on cpu; other precisions" in small["memory"][0]
    assert "fits into the 149.3 GB free on cuda:0 H200" in large["memory"][0]
    assert small["memory"][1].startswith("memory  about 3.0 GB for the other steps: 0.0 for passages")
    assert "does NOT fit" in small["memory"][1]
    assert "fits into the 214.7 GB free on cpu" in large["memory"][1]


def test_fewer_requests_at_once_are_named_where_they_would_fit(on):
    need_of_all = float(on(LARGE)["memory"][0].split()[1])
    almost = Hardware(2, DeviceMemory("cpu", 64 * GIB, int((need_of_all - 0.2) * 1e9)))
    assert "does NOT fit" in (told := on(almost)["memory"][0]) and "requests at once would" in told


def test_a_server_elsewhere_takes_no_memory_here(on, monkeypatch):
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:8000/v1")
    on_server = on(SMALL)["memory"][0]
    assert "where LLM_BASE_URL serves it" in on_server and "fit" not in on_server


def test_memory_is_that_of_all_passages_or_of_those_that_are_trained_on_times_their_words():
    def told(passages, **settings):
        return estimate_command._step_memory(Collection(passages, passages, 600.0), settings, LARGE)

    assert told(10**6).startswith(
        "about 12.0 GB for the other steps: 9.0 for passages in evaluate, 6.0 for 30,000 pass"
    )
    assert told(10**6).endswith("times about 100,000 words in train_sparse; fits into the 214.7 GB free on cpu")
    whole = {"build_training_set": {"max_passages": 0}, "prepare_backbone": {"max_units": 200_000}}
    assert told(10**6, **whole).startswith("about 403.0 GB") and "does NOT fit" in told(10**6, **whole)
    assert "about 20,821 words" in told(10_000)
    for spared in ({"train_sparse": {"train": "all"}}, {"prepare_backbone": {"units": "pieces"}}):
        assert "train_sparse" not in told(10**6, **spared)


def test_a_corpus_in_the_object_store_is_measured_there(on, monkeypatch):
    store = MemoryStore()
    store.objects["corpus/mine.jsonl"] = b'{"_id": "a", "text": "\xea\xb0\x80\xeb\x82\x98\xeb\x8b\xa4"}\n' * 2
    monkeypatch.setattr(store_s3, "open_store", lambda: store)
    assert "2" in on(SMALL, "s3://corpus/mine.jsonl")


def test_this_machine_is_looked_at():
    found = this_machine()
    assert found.cores >= 1 and 0 < found.memory.free <= found.memory.total and found.memory.device == "cpu"


def test_a_corpus_that_is_not_there_is_bad_input(tmp_path, capsys):
    assert main(["estimate", "--corpus", str(tmp_path / "none.jsonl")]) == 2
