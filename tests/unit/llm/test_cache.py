"""The same question is never asked twice; a different one always is."""

from dataclasses import replace

import pytest

from kosparse.errors import ResourceError
from kosparse.llm.cache import CachedChatModel
from kosparse.ports import ChatRequest
from kosparse.records import Completion, Reject
from tests.fakes.chat import FakeChatModel

REQUEST = ChatRequest(({"role": "user", "content": "셀?"},), temperature=0.7)


def open_cache(tmp_path, answer=lambda request: "답"):
    inner = FakeChatModel(answer)
    return CachedChatModel(inner, tmp_path / "llm" / "responses.sqlite"), inner


def test_a_second_process_is_answered_from_the_file(tmp_path):
    first, _ = open_cache(tmp_path)
    assert [answer.cached for _, answer in first.complete([REQUEST])] == [False]

    second, inner = open_cache(tmp_path)
    assert [(answer.text, answer.cached) for _, answer in second.complete([REQUEST])] == [("답", True)]
    assert inner.requests == []


@pytest.mark.parametrize(
    "change",
    [
        {"messages": ({"role": "user", "content": "표?"},)},
        {"json_schema": {"type": "object"}},
        {"max_tokens": 7},
        {"temperature": 0.0},
        {"top_p": 0.5},
        {"seed": 1},
        {"sample": 1},
        {"top_logprobs": 5},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_that_decides_the_answer_is_in_the_key(tmp_path, change):
    cache, inner = open_cache(tmp_path)
    list(cache.complete([REQUEST]))

    list(cache.complete([replace(REQUEST, **change)]))

    assert len(inner.requests) == 2


@pytest.mark.parametrize("field", ["model", "revision", "quantization"])
def test_another_model_is_asked_afresh(tmp_path, field):
    cache, _ = open_cache(tmp_path)
    list(cache.complete([REQUEST]))

    inner = FakeChatModel(lambda request: "다른 답")
    setattr(inner, field, "other")
    [(_, answer)] = CachedChatModel(inner, cache.path).complete([REQUEST])

    assert (answer.text, answer.cached) == ("다른 답", False)


def test_failures_are_never_kept(tmp_path):
    cache, inner = open_cache(tmp_path, lambda request: Reject(stage="llm", reason="timeout"))
    list(cache.complete([REQUEST]))
    list(cache.complete([REQUEST]))

    assert len(inner.requests) == 2


def test_what_was_answered_before_a_crash_is_kept(tmp_path):
    def answer(request):
        if request.sample == 2:
            raise KeyboardInterrupt
        return "답"

    cache, _ = open_cache(tmp_path, answer)
    with pytest.raises(KeyboardInterrupt):
        list(cache.complete([replace(REQUEST, sample=n) for n in range(3)]))

    again, inner = open_cache(tmp_path)
    answers = dict(again.complete([replace(REQUEST, sample=n) for n in range(3)]))
    assert [answers[n].cached for n in range(3)] == [True, True, False]
    assert len(inner.requests) == 1


def test_cached_answers_cost_no_budget(tmp_path):
    cache, _ = open_cache(tmp_path)
    list(cache.complete([REQUEST]))

    answers = list(cache.complete([REQUEST], stop=lambda: True))

    assert isinstance(answers[0][1], Completion)


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "llm").mkdir()
    (tmp_path / "llm" / "responses.sqlite").write_text("not a database, but long enough to look like one" * 50)
    cache, _ = open_cache(tmp_path)

    with pytest.raises(ResourceError, match="cannot be used"):
        list(cache.complete([REQUEST]))
