"""The same question is never asked twice; a different one always is."""

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest

from kosparse.errors import ResourceError
from kosparse.llm.cache import CachedChatModel
from kosparse.llm.cache_key import KeyMaker
from kosparse.llm.responses import Responses
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
        {"may_shorten": "셀"},
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


@pytest.mark.parametrize("messages", [1, 2, 4])
def test_the_key_is_the_hash_it_is_said_to_be(messages):
    make = KeyMaker("m", "r", "q")
    turns = tuple({"role": "user", "content": f'"{n}"\n셀'} for n in range(messages))
    for number in range(3):
        schema = {"type": "object"} if number else None
        request = replace(REQUEST, messages=turns, json_schema=schema, sample=number, every_token=number == 2)
        left_out = {"may_shorten"} if request.every_token else {"may_shorten", "every_token"}
        fields = {name: value for name, value in asdict(request).items() if name not in left_out}
        text = json.dumps(["m", "r", "q", fields], sort_keys=True, ensure_ascii=False)
        assert make(request) == hashlib.sha256(text.encode()).hexdigest()


def test_equal_questions_of_one_round_are_asked_once(tmp_path):
    cache, inner = open_cache(tmp_path)
    other = replace(REQUEST, sample=1)
    answers = dict(cache.complete([REQUEST, other, REQUEST]))

    assert len(inner.requests) == 2
    assert [answers[n].cached for n in range(3)] == [False, False, True]


def test_an_answer_of_a_version_that_cannot_be_read_is_asked_again(tmp_path):
    cache, inner = open_cache(tmp_path)
    list(cache.complete([REQUEST]))
    with cache._responses._open() as database, database:
        database.execute("UPDATE responses SET completion = ?", ('{"text":"답","unheard_of":1}',))

    assert [answer.cached for _, answer in cache.complete([REQUEST])] == [False]
    assert len(inner.requests) == 2


def test_a_full_disk_is_an_error_and_what_was_kept_stays(tmp_path):
    cache, _ = open_cache(tmp_path, lambda request: "답" * (200_000 if request.sample else 1))
    list(cache.complete([REQUEST]))
    with cache._responses._open() as database:
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(ResourceError, match="full") as error:
        list(cache.complete([replace(REQUEST, sample=1)]))
    assert "disk" in error.value.fix

    again, inner = open_cache(tmp_path)
    assert [answer.cached for _, answer in again.complete([REQUEST])] == [True] and inner.requests == []


_WRITER = """
import sys
from pathlib import Path
from kosparse.llm.responses import Response, Responses
responses = Responses(Path(sys.argv[1]))
for number in range(200):
    responses.put(Response(f"{sys.argv[2]}-{number}", "m", '{"text":"x"}', float(number)))
"""


def test_two_processes_share_a_file(tmp_path):
    path = tmp_path / "r.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), name]) for name in "ab"]

    assert [writer.wait(120) for writer in writers] == [0, 0]
    assert Responses(path).stats()[0].answers == 400


def test_old_answers_are_forgotten_by_age_and_model(tmp_path):
    cache, _ = open_cache(tmp_path)
    list(cache.complete([REQUEST, replace(REQUEST, sample=1)]))
    responses = Responses(cache.path)

    assert responses.prune(before=time.time() - 60) == 0
    assert responses.prune(before=time.time() + 60, model="another") == 0
    assert responses.prune(before=time.time() + 60, model="fake-model") == 2
    assert responses.stats() == []
