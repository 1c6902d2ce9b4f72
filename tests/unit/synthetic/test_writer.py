import pytest

from kosparse.config import GenerateQueriesConfig
from kosparse.errors import ConfigError
from kosparse.ports import ChatRequest
from kosparse.records import Completion, Reject
from kosparse.synthetic.writer import (
    Unusable,
    Writer,
    as_chat_model,
    clean,
    evenly,
    read_field,
    read_object,
    stable_id,
    write,
)
from tests.fakes.chat import FakeChatModel


def asked(word):
    return ChatRequest(messages=({"role": "user", "content": word},))


def said(request):
    return request.messages[-1]["content"]


def run(model, items, parse, **changes):
    return write(Writer(model, **changes), items, asked, parse, where=lambda item: f"id-{item}", stage="task")


def test_answers_are_parsed_in_the_order_of_the_items_whatever_order_they_come_in():
    model = FakeChatModel(lambda request: said(request).upper(), out_of_order=True)
    written = run(model, ["a", "b", "c"], lambda item, text: [item + text])
    assert written.rows == ["aA", "bB", "cC"]
    assert (written.answered, written.not_asked, written.rejects) == (3, 0, [])


def test_an_unusable_answer_becomes_a_reject_that_keeps_the_answer_and_says_where():
    written = run(FakeChatModel(lambda request: "모르겠습니다"), ["a"], lambda item, text: [read_object(text)])
    assert written.rows == []
    assert [(reject.stage, reject.reason, reject.where) for reject in written.rejects] == [("task", "not_json", "id-a")]
    assert written.rejects[0].row == {"answer": "모르겠습니다"}


def test_an_answer_that_was_cut_off_is_called_so():
    cut = Completion(text='{"query": "셀 보', finish_reason="length")
    written = run(FakeChatModel(lambda request: cut), ["a"], lambda item, text: [read_object(text)])
    assert [reject.reason for reject in written.rejects] == ["cut_off"]


def test_a_request_that_failed_is_carried_on_under_our_stage():
    failed = Reject(stage="llm", reason="timeout")
    written = run(FakeChatModel(lambda request: failed), ["a"], lambda item, text: [text])
    assert (written.rejects[0].stage, written.rejects[0].reason, written.rejects[0].where) == (
        "task",
        "timeout",
        "id-a",
    )
    assert written.answered == 0


def test_what_the_budget_leaves_out_is_counted_and_not_rejected():
    model = FakeChatModel(lambda request: said(request))
    written = run(model, ["a", "b", "c"], lambda item, text: [text], budget_seconds=1e-9, at_least=1)
    assert written.rows == ["a"]
    assert written.counts == {"rows": 1, "rejected": 0, "answered": 1, "not_asked": 2}


def test_all_requests_go_together():
    calls = []

    class Recording(FakeChatModel):
        def complete(self, requests, **options):
            calls.append(len(requests))
            return super().complete(requests, **options)

    run(Recording(said), ["a", "b", "c", "d"], lambda item, text: [text])
    assert calls == [4]


def test_nothing_to_ask_is_no_error():
    assert run(FakeChatModel(said), [], lambda item, text: [text]).counts["answered"] == 0


def test_rows_and_rejects_of_one_answer_are_told_apart():
    reject = Reject(stage="task", reason="missing")
    written = run(FakeChatModel(lambda request: "x"), ["a"], lambda item, text: ["row", reject])
    assert (written.rows, written.rejects) == (["row"], [reject])


def test_provenance_prefers_the_description_of_the_server():
    from kosparse import prompts

    prompt = prompts.load("augment_query")
    config = GenerateQueriesConfig(seed=5)
    described = {"model": "openai/gpt-oss-20b", "quantization": "mxfp4"}
    model = FakeChatModel(lambda request: "")
    plain = Writer.from_config(model, config).provenance(prompt)
    named = Writer.from_config(model, config, described).provenance(prompt, sample=2)
    assert (plain.model, plain.quantization, plain.seed) == ("fake-model", "none", 5)
    assert (named.model, named.quantization, named.seed, named.sample) == ("openai/gpt-oss-20b", "mxfp4", 5, 2)
    assert named.prompt == prompt.fingerprint


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty_answer"), ("  \n", "empty_answer"), ("없습니다", "not_json"), ("[1]", "not_an_object")],
)
def test_each_kind_of_bad_answer_has_its_reason(text, reason):
    with pytest.raises(Unusable) as error:
        read_object(text)
    assert error.value.reason == reason


@pytest.mark.parametrize("value", [None, "", "  ", 3, ["셀"], '""'])
def test_a_field_that_is_no_text_is_missing(value):
    with pytest.raises(Unusable) as error:
        read_field({"query": value}, "query")
    assert (error.value.reason, error.value.detail) == ("missing", "query")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('"셀 보호"', "셀 보호"),
        ("- 셀 보호", "셀 보호"),
        ("2) 셀\n보호\x00 해제", "셀 보호 해제"),
        ("“잠금”과 보호", "“잠금”과 보호"),
        ("3.5 버전 설치", "3.5 버전 설치"),
        ("\u1109\u1166\u11af", "셀"),
    ],
)
def test_a_line_is_cleaned_without_touching_its_words(text, cleaned):
    assert clean(text) == cleaned


def test_ids_depend_on_every_part_and_on_nothing_else():
    assert stable_id("a", "b") == stable_id("a", "b")
    assert len({stable_id("a", "b"), stable_id("ab"), stable_id("a", "c"), stable_id("b", "a")}) == 4


def test_evenly_reaches_over_the_whole_sequence():
    assert evenly(range(10), 3) == [0, 3, 6]
    assert evenly(range(3), 0) == evenly(range(3), 9) == [0, 1, 2]


def test_without_a_model_the_caller_is_told_what_to_pass():
    with pytest.raises(ConfigError, match="no language model"):
        as_chat_model(None, llm_model=object())
