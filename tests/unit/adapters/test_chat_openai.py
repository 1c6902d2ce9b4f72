"""The HTTP chat model against a server that speaks the protocol and misbehaves on request."""

import time

import pytest

from kosparse.adapters.chat_openai import OpenAiChatModel
from kosparse.errors import ServiceError
from kosparse.llm.labels import numbered_log_odds
from kosparse.llm.structured import parse_json
from kosparse.ports import ChatRequest, LlmEndpoint
from kosparse.records import Completion, Reject
from tests.fakes.llm_server import FakeLlmServer

SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


def request(text: str = "<<<셀을 보호합니다>>>", **fields) -> ChatRequest:
    return ChatRequest(({"role": "user", "content": text},), **fields)


def model(server: FakeLlmServer, **options) -> OpenAiChatModel:
    endpoint = LlmEndpoint(server.base_url, server.model, server.api_key)
    return OpenAiChatModel(endpoint, wait=0.01, **options)


def test_every_request_is_answered_once_under_its_position():
    with FakeLlmServer(api_key="k") as server:
        answers = dict(model(server).complete([request(f"<<<문서 번호 {n}>>>", json_schema=SCHEMA) for n in range(20)]))

    assert sorted(answers) == list(range(20))
    assert all(isinstance(answer, Completion) and answer.prompt_tokens > 0 for answer in answers.values())
    assert server.completions == 20


def test_no_more_than_the_stated_number_is_in_flight():
    with FakeLlmServer() as server:
        list(model(server, concurrency=3).complete([request(str(n)) for n in range(30)]))

    assert 1 <= server.most_in_flight <= 3


@pytest.mark.parametrize("failure", [429, 500, 503, "null", "reasoning", "reset", "html", "half"])
def test_passing_trouble_is_tried_again(failure):
    with FakeLlmServer(failures=[failure, failure]) as server:
        [(_, answer)] = model(server).complete([request(json_schema=SCHEMA)])

    assert isinstance(answer, Completion)
    assert server.completions == 3


def test_a_hanging_answer_is_given_up_and_asked_again():
    with FakeLlmServer(failures=["hang"]) as server:
        [(_, answer)] = model(server, timeout=0.5).complete([request()])

    assert isinstance(answer, Completion) and server.completions == 2


@pytest.mark.parametrize(("failure", "reason"), [(500, "bad_answer"), ("null", "empty_answer"), (429, "rate_limit")])
def test_lasting_trouble_becomes_a_reject_with_its_reason(failure, reason):
    with FakeLlmServer(failures=[failure] * 5) as server:
        [(_, answer)] = model(server).complete([request()])

    assert isinstance(answer, Reject) and answer.reason == reason


def test_a_wrong_key_ends_it_and_names_the_setting():
    with FakeLlmServer(api_key="right") as server:
        wrong = OpenAiChatModel(LlmEndpoint(server.base_url, server.model, "k-93"))
        with pytest.raises(ServiceError, match="401") as error:
            list(wrong.complete([request()]))

    assert "LLM_API_KEY" in error.value.fix and "k-93" not in str(error.value)


def test_an_unknown_model_ends_it():
    with FakeLlmServer() as server, pytest.raises(ServiceError, match="404"):
        list(OpenAiChatModel(LlmEndpoint(server.base_url, "other")).complete([request()]))


def test_a_server_that_is_gone_ends_it():
    with FakeLlmServer() as server:
        gone = model(server)

    with pytest.raises(ServiceError, match="cannot be reached"):
        list(gone.complete([request()]))


def test_stop_sends_no_new_request():
    with FakeLlmServer() as server:
        answers = []
        for answer in model(server, concurrency=1).complete(
            [request(str(n)) for n in range(10)], stop=lambda: server.completions >= 4
        ):
            answers.append(answer)

    assert server.completions == len(answers) == 4


def test_first_token_probabilities_come_back():
    with FakeLlmServer() as server:
        [(_, answer)] = model(server).complete([request("<<<셀>>> <<<cell>>> 같은 뜻입니까?", top_logprobs=20)])

    assert answer.first_token_logprobs["예"] > answer.first_token_logprobs["아니"]


def test_several_labels_are_read_off_one_answer():
    question = "<<<셀을 보호합니다.>>>\n검색어:\n1. 셀 보호\n2. 자전거 타이어"
    asked = request(question, top_logprobs=20, every_token=True, max_tokens=16)
    with FakeLlmServer() as plain, FakeLlmServer(thinks_first=True, counts_tokens=True) as thinking:
        found = [next(iter(model(server).complete([asked])))[1] for server in (plain, thinking)]
    for answer in found:
        first, second = numbered_log_odds(answer, 2, ["예"], ["아니오"])
        assert first > 0 > second


def test_whoever_stops_listening_does_not_wait_for_what_is_in_flight():
    with FakeLlmServer(failures=[500, "hang"]) as server:
        started = time.monotonic()
        answers = model(server, concurrency=2).complete([request(str(n)) for n in range(3)])
        next(answers)
        answers.close()

        assert time.monotonic() - started < 10  # the hanging one takes 15 s


def test_a_server_that_takes_few_at_once_answers_all_without_a_reject():
    with FakeLlmServer(places=4, seconds=0.01) as server:
        answers = dict(model(server, concurrency=32).complete([request(str(n)) for n in range(80)]))

    assert len(answers) == 80 and all(isinstance(answer, Completion) for answer in answers.values())


def test_a_server_that_is_too_busy_for_anybody_ends_it_after_some_rejects():
    answers = []
    with FakeLlmServer(failures=[429] * 500) as server, pytest.raises(ServiceError, match="in a row failed"):
        for answer in model(server, concurrency=4).complete([request(str(n)) for n in range(50)]):
            answers.append(answer)

    assert {answer.reason for _, answer in answers} == {"rate_limit"} and len(answers) == 5


def test_a_page_instead_of_an_api_ends_it_before_every_request_was_tried():
    with FakeLlmServer(failures=["html"] * 999) as server, pytest.raises(ServiceError, match="bad_answer"):
        list(model(server, concurrency=2).complete([request(str(n)) for n in range(60)]))

    assert server.completions <= 5 * 6


def test_what_was_answered_before_the_service_died_is_given():
    given = []
    dies = [None, None, None, *["reset"] * 99]
    with FakeLlmServer(failures=dies) as server, pytest.raises(ServiceError, match="cannot be reached"):
        for answer in model(server, concurrency=1).complete([request(str(n)) for n in range(9)]):
            given.append(answer)

    assert [position for position, _ in given] == [0, 1, 2]


def test_a_silent_server_is_not_waited_for_again_and_again():
    started = time.monotonic()
    with FakeLlmServer(silent=True) as server, pytest.raises(ServiceError, match="answers nothing"):
        list(model(server, timeout=0.3).complete([request(str(n)) for n in range(20)]))

    assert time.monotonic() - started < 12  # 20 requests, 15 s each


def test_reasoning_that_took_all_the_tokens_gets_more_room_and_is_never_the_answer():
    with FakeLlmServer(failures=["reasoning", "reasoning"]) as server:
        [(_, answer)] = model(server).complete([request(max_tokens=50)])

    assert answer.text == "예"
    assert [body["max_tokens"] for body in server.bodies] == [50, 100, 200]
    assert len({body["seed"] for body in server.bodies}) == 3


def test_a_structured_answer_that_was_cut_off_gets_twice_the_room_once():
    with FakeLlmServer(failures=["cut", "cut"]) as server:
        [(_, answer)] = model(server).complete([request(json_schema=SCHEMA, max_tokens=50)])

    assert answer.finish_reason == "length"
    assert [body["max_tokens"] for body in server.bodies] == [50, 100]


def test_json_in_a_code_block_is_as_good_as_any():
    with FakeLlmServer(failures=["fenced"]) as server:
        [(_, answer)] = model(server).complete([request(json_schema=SCHEMA)])

    assert server.completions == 1 and set(parse_json(answer.text)) == {"query"}


def test_a_server_that_ignores_schemas_is_noticed_and_told_in_words(tmp_path, monkeypatch):
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events"))
    with FakeLlmServer(schemas="ignores") as server:
        chat = model(server, concurrency=1)
        answers = [answer for _, answer in chat.complete([request(str(n), json_schema=SCHEMA) for n in range(3)])]

    assert [answer.text for answer in answers] == ["예"] * 3  # the parser has the last word
    assert server.completions == 2 * 3
    assert ["response_format" in body for body in server.bodies] == [True] + [False] * 5
    assert "query" in server.bodies[-1]["messages"][0]["content"]
    assert (tmp_path / "events").read_text().count("ignores JSON schemas") == 1


def test_a_server_that_refuses_schemas_is_asked_without():
    with FakeLlmServer(schemas="refuses") as server:
        [(_, answer)] = model(server).complete([request(json_schema=SCHEMA)])

    assert isinstance(answer, Completion) and "response_format" not in server.bodies[-1]


PASSAGE = "셀을 보호하려면 시트를 잠급니다. " * 60


@pytest.mark.parametrize("counts_tokens", [True, False])
def test_a_passage_that_is_too_long_is_cut_at_a_sentence_end_where_that_is_allowed(counts_tokens):
    asked = request(f"질문: <<<{PASSAGE}>>> 답?", may_shorten=PASSAGE, max_tokens=100)
    with FakeLlmServer(context=700, counts_tokens=counts_tokens) as server:
        [(_, answer)] = model(server).complete([asked])

    sent = server.bodies[-1]["messages"][-1]["content"]
    assert sent.startswith("질문: <<<셀을") and sent.endswith("잠급니다.>>> 답?")
    assert 450 < len(sent) <= 600  # 700 tokens of context, 100 of them for the answer, a character each
    assert answer.shortened_by == len(asked.messages[0]["content"]) - len(sent) > 0


@pytest.mark.parametrize("stretch", ["", "질문"])
def test_a_prompt_that_is_too_long_and_may_not_be_cut_is_a_reject(stretch):
    with FakeLlmServer(context=300) as server:
        [(_, answer)] = model(server).complete([request(f"질문: {PASSAGE}", may_shorten=stretch)])

    assert answer.reason == "too_long" and "maximum context length" in answer.detail


def test_what_the_prefix_cache_saved_is_read_from_the_server():
    instructions = {"role": "system", "content": "검색어를 쓰세요. " * 10}
    requests = [ChatRequest((instructions, {"role": "user", "content": str(n)})) for n in range(5)]
    with FakeLlmServer(vllm_metrics=True) as server:
        chat = model(server, concurrency=1)
        list(chat.complete(requests))

    assert (chat.prefix_queries, chat.prefix_hits) == (server.prefix_queries, server.prefix_hits)
    assert chat.prefix_hits > 0


def test_the_answer_of_a_model_that_thinks_first_is_begun_for_it():
    asked = [request(f"<<<셀>>> <<<{english}>>>", max_tokens=1, top_logprobs=4) for english in ("cell", "printer")]
    with FakeLlmServer(thinks_first=True, counts_tokens=True) as thinking, FakeLlmServer() as plain:
        found = dict(model(thinking, concurrency=1).complete(asked))
        expected = dict(model(plain, concurrency=1).complete(asked))

    assert [found[n].first_token_logprobs for n in (0, 1)] == [expected[n].first_token_logprobs for n in (0, 1)]
    prompts = [body["prompt"] for body in thinking.bodies if "prompt" in body]
    assert len(prompts) == 2 and "".join(map(chr, prompts[0])).endswith("<|channel|>final<|message|>")
    assert thinking.completions == 3, "only the first question was asked in the usual way"


def test_without_the_servers_own_tokens_such_a_label_is_a_reject():
    with FakeLlmServer(thinks_first=True) as server:
        [(_, answer)] = model(server).complete([request(max_tokens=1, top_logprobs=4)])
    assert isinstance(answer, Reject) and answer.reason == "empty_answer"


def test_reasoning_effort_is_sent_and_names_the_answers():
    with FakeLlmServer() as server:
        thinking = model(server, revision="r1", reasoning_effort="high")
        list(thinking.complete([request()]))
        list(model(server).complete([request()]))
    assert [body.get("reasoning_effort") for body in server.bodies] == ["high", None]
    assert thinking.revision == "r1+high"
