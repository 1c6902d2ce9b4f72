from datetime import date, timedelta

import pytest

from kosparse.jsonl import read_json, write_json, write_records
from kosparse.records import Document
from kosparse.steps.detect_trends import run


@pytest.fixture
def detect(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))

    def call(documents):
        write_records(tmp_path / "documents", documents)
        write_json(tmp_path / "idf", {"▁암호": 1.0, "▁셀": 2.0})
        metrics = run(documents=tmp_path / "documents", idf=tmp_path / "idf", trends=tmp_path / "trends")
        return metrics, read_json(tmp_path / "trends")

    return call


def _written(text, count, day):
    return [Document(id=f"{text}{number}", text=text, date=day.isoformat()) for number in range(count)]


def test_rising_terms_boost_their_tokens(detect):
    today = date.today()
    metrics, trends = detect(_written("셀", 20, today - timedelta(days=200)) + _written("암호와 인쇄", 20, today))
    assert trends["terms"] == {"▁암호": pytest.approx(1 + 1 - (0.5 / 21) / (20.5 / 21))}
    assert list(trends["unmatched"]) == ["인쇄"]
    assert {rise["term"] for rise in trends["evidence"]} == {"암호", "인쇄"}
    assert metrics == {"rising_terms": 2.0, "boosted_tokens": 1.0}
    assert trends["as_of"] == today.isoformat()


def test_a_rising_run_of_nouns_is_told_and_boosts_its_nouns(detect):
    today = date.today()
    metrics, trends = detect(_written("시트", 20, today - timedelta(days=200)) + _written("셀 암호", 20, today))
    assert [rise["term"] for rise in trends["evidence"]] == ["셀 암호"]
    share = pytest.approx(1 + (1 - 0.5 / 20.5) / 2)
    assert trends["terms"] == {"▁셀": share, "▁암호": share} and metrics["rising_terms"] == 1.0


def test_documents_without_dates_leave_a_note_and_no_terms(detect):
    metrics, trends = detect([Document(id="a", text="셀 보호")])
    assert trends["terms"] == {} and "no document has a date" in trends["note"]
    assert metrics["rising_terms"] == 0.0
