from __future__ import annotations

import json

import pytest

from kosparse.errors import ConfigError
from kosparse.llm import ask as ask_module
from kosparse.llm.accounting import spent
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


def test_what_was_asked_adds_up_over_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_PRICE_OUTPUT", "1000000")
    before = spent()
    answers = [Completion(text="a", prompt_tokens=5, completion_tokens=2), Completion(text="b", cached=True)]
    for _ in range(2):
        ask(FakeChatModel(lambda request: answers[int(content(request))]), requests(2), what="x", budget_seconds=60)
    grown = {name: total - before.get(name, 0) for name, total in spent().items()}
    assert grown == {"calls": 4, "cached": 2, "prompt_tokens": 10, "completion_tokens": 4, "cost": 4.0}


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


class Prefixes(FakeChatModel):
    """A model that knows of a prefix cache, and in which rounds it was asked."""

    def __init__(self) -> None:
        super().__init__(content)
        self.rounds: list[int] = []
        self.prefix_queries = self.prefix_hits = 100.0

    def complete(self, requests, *, stop):
        self.rounds.append(len(requests))
        self.prefix_queries += 10 * len(requests)
        self.prefix_hits += 4 * len(requests)
        return super().complete(requests, stop=stop)


def events(tmp_path) -> list[dict]:
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == "llm"]


def test_all_requests_are_sent_together_and_reported_as_one_event(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))
    model = Prefixes()
    answers = ask(model, requests(5), what="queries", budget_seconds=60)

    assert texts(answers) == ["0", "1", "2", "3", "4"]
    assert model.rounds == [5]
    [event] = events(tmp_path)
    assert event["calls"] == 5
    assert (event["prefix_queries"], event["prefix_hits"], event["prefix_hit_rate"]) == (50, 20, 0.4)


def test_money_is_counted_when_prices_are_set(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))
    ask(FakeChatModel(content), requests(1), what="queries", budget_seconds=60)
    monkeypatch.setenv("LLM_PRICE_INPUT", "1000")
    monkeypatch.setenv("LLM_PRICE_OUTPUT", "5000")
    ask(FakeChatModel(content), requests(2), what="queries", budget_seconds=60)

    free, paid = events(tmp_path)
    assert "cost" not in free
    assert paid["cost"] == pytest.approx((20 * 1000 + 2 * 5000) / 1e6)  # 10 tokens in and 1 out, twice
    assert paid["requests_per_second"] > 0


def test_a_price_that_is_none_names_the_setting(monkeypatch) -> None:
    monkeypatch.setenv("LLM_PRICE_INPUT", "cheap")
    with pytest.raises(ConfigError) as error:
        ask(FakeChatModel(content), requests(1), what="queries", budget_seconds=60)
    assert error.value.where == "LLM_PRICE_INPUT"
