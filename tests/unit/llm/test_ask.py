from __future__ import annotations

import json

import pytest

from kosparse.llm import ask as ask_module
from kosparse.llm.ask import ask
from kosparse.ports import ChatRequest
from kosparse.records import Completion, Reject
from tests.fakes.chat import FakeChatModel


def requests(count: int) -> list[ChatRequest]:
    return [ChatRequest(messages=({"role": "user", "content": str(n)},)) for n in range(count)]


def content(request: ChatRequest) -> str:
    return request.messages[-1]["content"]


def texts(answers: list) -> list[str | None]:
    return [answer.text if isinstance(answer, Completion) else None for answer in answers]


class Clock:
    """Time that passes one second each time it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now


def test_answers_come_back_in_the_order_of_the_requests() -> None:
    model = FakeChatModel(lambda request: f"답 {content(request)}", out_of_order=True)
    assert texts(ask(model, requests(3), what="queries", budget_seconds=60)) == ["답 0", "답 1", "답 2"]


def test_nothing_is_asked_once_the_budget_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask_module.time, "monotonic", Clock().monotonic)
    answers = ask(FakeChatModel(content), requests(50), what="queries", budget_seconds=8)
    answered = sum(answer is not None for answer in answers)
    assert 0 < answered < 10
    assert answers[answered:] == [None] * (50 - answered)


def test_at_least_so_many_are_answered_whatever_the_budget() -> None:
    answers = ask(FakeChatModel(content), requests(9), what="queries", budget_seconds=1e-9, at_least=4)
    assert texts(answers) == ["0", "1", "2", "3", None, None, None, None, None]


def test_the_costs_are_reported_once(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))
    given = {
        "0": Completion(text="a", prompt_tokens=5, completion_tokens=2),
        "1": Completion(text="b", prompt_tokens=7, completion_tokens=3, cached=True),
        "2": Reject(stage="llm", reason="timeout"),
    }
    ask(FakeChatModel(lambda request: given[content(request)]), requests(3), what="queries", budget_seconds=9)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    [event] = [event for event in events if event["event"] == "llm"]
    assert (event["calls"], event["cached"], event["failed"]) == (3, 1, 1)
    assert (event["prompt_tokens"], event["completion_tokens"]) == (5, 2)


def test_asking_nothing_answers_nothing() -> None:
    assert ask(FakeChatModel(content), [], what="queries", budget_seconds=1) == []
