"""The HTTP chat model against a server that speaks the protocol and misbehaves on request."""

import time

import pytest

from kosparse.adapters.chat_openai import OpenAiChatModel
from kosparse.errors import ServiceError
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


@pytest.mark.parametrize("failure", [429, 500, 503, "null", "reset", "html"])
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


def test_whoever_stops_listening_does_not_wait_for_what_is_in_flight():
    with FakeLlmServer(failures=[500, "hang"]) as server:
        started = time.monotonic()
        answers = model(server, concurrency=2).complete([request(str(n)) for n in range(3)])
        next(answers)
        answers.close()

        assert time.monotonic() - started < 2.0  # the hanging one takes 3 s
