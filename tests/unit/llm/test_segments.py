"""Answers travel between machines in segments; the local file serves when they cannot."""

import json

import pytest

from kosparse.errors import ConfigError
from kosparse.llm.cache import CachedChatModel
from kosparse.llm.responses import Responses
from kosparse.llm.segments import Segments
from kosparse.ports import ChatRequest
from tests.fakes.chat import FakeChatModel
from tests.fakes.memory_store import MemoryStore

ADDRESS = "s3://answers/team/"


def request(number: int) -> ChatRequest:
    return ChatRequest(({"role": "user", "content": str(number)},))


def machine(folder, store, seconds=3600.0):
    """A pod's model, cache and segments."""
    path = folder / "responses.sqlite"
    segments = Segments(store, ADDRESS, path, seconds=seconds)
    inner = FakeChatModel(lambda request: f"답 {request.messages[0]['content']}")
    return CachedChatModel(inner, path, segments=segments), inner, segments


def ask(model, *numbers):
    return [answer.text for _, answer in sorted(model.complete([request(number) for number in numbers]))]


def test_another_machine_asks_nothing_that_was_answered(tmp_path):
    store = MemoryStore()
    first, _, segments = machine(tmp_path / "a", store)
    ask(first, 1, 2)
    segments.close()

    second, inner, _ = machine(tmp_path / "b", store)
    assert ask(second, 1, 2, 3) == ["답 1", "답 2", "답 3"]
    assert [asked.messages[0]["content"] for asked in inner.requests] == ["3"]


def test_answers_are_flushed_while_the_work_goes_on(tmp_path):
    store = MemoryStore()
    model, _, segments = machine(tmp_path, store, seconds=0.02)
    ask(model, 1)
    for _ in range(500):
        if store.objects:
            break
        segments._ended.wait(0.02)

    assert [name.rpartition("/")[2] for name in store.objects] == ["000000.jsonl.gz"]
    assert all(name.startswith("answers/team/") for name in store.objects)
    segments.close()


def test_segments_are_never_written_again_and_each_is_read_once(tmp_path):
    store = MemoryStore()
    model, _, segments = machine(tmp_path / "a", store)
    ask(model, 1)
    segments._flush()
    before = dict(store.objects)
    ask(model, 2)
    segments.close()
    assert len(store.objects) == 2 and before.items() <= store.objects.items()

    for _ in range(2):
        again, _, other = machine(tmp_path / "b", store)
        ask(again, 1, 2)
        other.close()
    assert store.downloads == 2 and len(store.objects) == 2


def test_what_a_killed_process_did_not_send_the_next_one_sends(tmp_path):
    store = MemoryStore()
    killed, _, _ = machine(tmp_path / "a", store)
    ask(killed, 1)  # and no close()

    model, inner, segments = machine(tmp_path / "a", store)
    ask(model, 1)
    segments.close()

    assert inner.requests == [] and len(store.objects) == 1


def test_a_store_that_does_not_answer_is_told_of_once_and_tried_again(tmp_path, monkeypatch):
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events"))
    store = MemoryStore()
    store.broken = True
    model, _, segments = machine(tmp_path, store)

    assert ask(model, 1) == ["답 1"]
    segments._try(segments._flush)
    notes = [json.loads(line)["text"] for line in (tmp_path / "events").read_text().splitlines()]
    assert len(notes) == 1 and "on this machine only" in notes[0]

    store.broken = False
    segments.close()
    assert len(store.objects) == 1


def test_a_segment_that_cannot_be_read_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events"))
    store = MemoryStore()
    store.objects["answers/team/x/000000.jsonl.gz"] = b"broken"
    model, _, segments = machine(tmp_path, store)

    assert ask(model, 1) == ["답 1"]
    assert "x/000000.jsonl.gz" in (tmp_path / "events").read_text()
    segments.close()


@pytest.mark.parametrize("address", ["answers", "file:///tmp/x", "s3://"])
def test_an_address_that_is_none_names_the_setting(tmp_path, address):
    with pytest.raises(ConfigError) as error:
        Segments(MemoryStore(), address, tmp_path / "r.sqlite")
    assert error.value.where == "KOSPARSE_LLM_CACHE"


def test_without_a_store_nothing_is_marked_for_sending(tmp_path):
    model = CachedChatModel(FakeChatModel(lambda request: "답"), tmp_path / "r.sqlite")
    ask(model, 1)
    assert Responses(tmp_path / "r.sqlite").unsent() == []
