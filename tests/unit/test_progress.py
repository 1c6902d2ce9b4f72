"""Progress is events, so that another process can draw it."""

import json

from kosparse import progress


def test_describe_gives_rate_and_time_left():
    # 20 of 80 in 10 s: 2 per second, 60 left, 30 seconds.
    assert progress.describe("queries", 20, 80, "passages", 10.0) == "queries 20/80 passages, 2.0/s, 0:30 left"


def test_describe_without_a_total_gives_no_time_left():
    assert progress.describe("rows", 1500, None, "rows", 3.0) == "rows 1,500 rows, 500.0/s"


def test_describe_ends_with_what_else_is_worth_knowing():
    assert progress.describe("training", 20, 20, "steps", 10.0, "loss 0.5") == "training 20/20 steps, 2.0/s, loss 0.5"


def test_events_are_lines_of_json_with_the_step(tmp_path, monkeypatch):
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))
    progress.set_step("compute_idf")

    assert list(progress.track(["a", "b"], "letters")) == ["a", "b"]
    progress.note("건너뜀")

    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [event["event"] for event in events] == ["progress", "note"]
    assert events[0]["done"] == events[0]["total"] == 2
    assert {event["step"] for event in events} == {"compute_idf"}
