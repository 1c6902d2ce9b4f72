"""gpt-oss under real vLLM on this machine's processor: a random one in bf16's layout, served in fp32.

The published MXFP4 layout needs a GPU there, or a processor with AMX tiles.
"""

import time

import httpx
import pytest

from kosparse.adapters.chat_openai import OpenAiChatModel
from kosparse.ports import ChatRequest, LlmEndpoint
from kosparse.records import Completion, Reject
from kosparse.services.vllm import VllmServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def server(tiny_gpt_oss, tmp_path_factory):
    folder = tiny_gpt_oss("bf16")
    server = VllmServer(tmp_path_factory.mktemp("vllm"), str(folder), max_model_length=512, dtype="float32")
    server.start(timeout=900)
    yield server
    server.stop()


def chat(server):
    environment = server.environment
    endpoint = LlmEndpoint(environment["LLM_BASE_URL"], environment["LLM_MODEL"], environment["LLM_API_KEY"])
    return OpenAiChatModel(endpoint, wait=0.01)


def test_harmony_prompts_are_answered_or_rejected_and_never_with_reasoning(server):
    requests = [
        ChatRequest(({"role": "system", "content": "짧게."}, {"role": "user", "content": text}), max_tokens=8)
        for text in ("셀?", "표?")
    ]
    answers = dict(chat(server).complete(requests))

    assert sorted(answers) == [0, 1]
    for answer in answers.values():
        assert isinstance(answer, Completion | Reject)
        assert isinstance(answer, Reject) or "<|" not in answer.text


def test_the_prompt_is_written_in_harmonys_own_vocabulary(server):
    body = {"model": server.environment["LLM_MODEL"], "messages": [{"role": "user", "content": "a"}], "max_tokens": 1}
    headers = {"Authorization": f"Bearer {server.environment['LLM_API_KEY']}"}
    used = []
    for content in ("a", "셀 보호하는 방법"):
        body["messages"][0]["content"] = content
        response = httpx.post(f"{server.base_url}/chat/completions", json=body, headers=headers, timeout=120)
        used.append(response.json()["usage"]["prompt_tokens"])
    # One token and four, as openai_harmony has them; the tiny tokenizer would make 1 and 22 of them.
    assert used[1] - used[0] == 3


def test_a_label_question_is_answered_behind_the_opened_answer(server):
    asked = ChatRequest(
        ({"role": "user", "content": "셀은 cell입니까? 예 또는 아니오."},), max_tokens=1, top_logprobs=5
    )

    [(_, answer)] = chat(server).complete([asked])

    assert isinstance(answer, Completion), answer
    assert len(answer.first_token_logprobs) >= 5 and "<|channel|>" not in answer.first_token_logprobs


def test_it_stops(server):
    started = time.monotonic()
    assert server.stop() is True and time.monotonic() - started < 60
