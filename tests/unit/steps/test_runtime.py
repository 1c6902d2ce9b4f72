"""What every step gets around its logic."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from kosparse.config import ComputeIdfConfig
from kosparse.errors import ConfigError, InputError
from kosparse.steps.runtime import InPath, Metrics, OutPath, step


@step
def run(config: ComputeIdfConfig, *, corpus: str, passages: InPath, idf: OutPath) -> Metrics:
    if corpus == "forget":
        return {}
    idf.write_text(passages.read_text() + corpus)
    return {"terms": 2.0}


@pytest.fixture(autouse=True)
def no_tracking(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))


def events(tmp_path: Path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]


def test_the_signature_tells_inputs_outputs_and_parameters():
    assert (run.inputs, run.outputs, run.params) == (("passages",), ("idf",), ("corpus",))


def test_a_step_runs_on_strings_and_says_when_it_started_and_finished(tmp_path):
    (tmp_path / "p").write_text("가")

    metrics = run(config={"seed": 3.0}, corpus="나", passages=str(tmp_path / "p"), idf=str(tmp_path / "new" / "idf"))

    assert metrics == {"terms": 2.0}
    assert (tmp_path / "new" / "idf").read_text() == "가나"
    assert [event["event"] for event in events(tmp_path)] == ["started", "finished"]


def test_what_a_step_asked_the_language_model_is_tracked_with_its_time(tmp_path, monkeypatch):
    told = {}
    tracker = SimpleNamespace(log_step=lambda run_id, name, params, metrics, seconds: told.update(metrics))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr("kosparse.adapters.tracking_mlflow.MlflowTracker", lambda uri: tracker)
    before = {"calls": 7, "prompt_tokens": 70}
    totals = iter([before, {**before, "calls": 9, "prompt_tokens": 95, "cost": 0.25}])
    monkeypatch.setattr("kosparse.steps.runtime.spent", lambda: next(totals))
    (tmp_path / "p").write_text("가")

    run(corpus="나", passages=str(tmp_path / "p"), idf=str(tmp_path / "idf"))

    assert told == {"terms": 2.0, "llm_calls": 2, "llm_prompt_tokens": 25, "llm_cost": 0.25}


def test_a_missing_input_is_named_before_any_work(tmp_path):
    with pytest.raises(InputError, match="needs passages"):
        run(config={}, corpus="", passages=tmp_path / "none", idf=tmp_path / "idf")

    assert events(tmp_path)[-1]["event"] == "failed" and events(tmp_path)[-1]["exit_code"] == 2


def test_an_unknown_setting_fails_before_any_work(tmp_path):
    (tmp_path / "p").write_text("")
    with pytest.raises(ConfigError, match="smoothing"):
        run(config={"smoothing": 1}, corpus="", passages=tmp_path / "p", idf=tmp_path / "idf")


def test_a_step_that_forgets_an_output_is_a_bug(tmp_path):
    (tmp_path / "p").write_text("")
    with pytest.raises(AssertionError, match="idf"):
        run(config={}, corpus="forget", passages=tmp_path / "p", idf=tmp_path / "idf")
