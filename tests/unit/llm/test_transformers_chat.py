"""The in-process chat model: batches, probabilities, and prompts for models without a chat template."""

import json
import math

import pytest
from jinja2 import TemplateError

from kosparse.errors import ResourceError
from kosparse.llm.loader import load_llm_model
from kosparse.llm.transformers_chat import TransformersChat, chat_text
from kosparse.ports import ChatRequest
from tests.fakes.tiny_llm import save_tiny_llm

MESSAGES = ({"role": "system", "content": "짧게."}, {"role": "user", "content": "셀?"})


@pytest.fixture(scope="module")
def chat(tiny_llm):
    model, tokenizer = load_llm_model(str(tiny_llm), device="cpu")
    return TransformersChat(model, tokenizer, batch_size=2)


def ask(text, **fields):
    return ChatRequest(({"role": "user", "content": text},), **{"max_tokens": 4, **fields})


def test_requests_of_unlike_settings_are_all_answered(chat):
    requests = [ask("가"), ask("나", max_tokens=2), ask("다"), ask("라"), ask("마", top_logprobs=3)]
    answers = dict(chat.complete(requests))

    assert sorted(answers) == [0, 1, 2, 3, 4]
    assert answers[1].completion_tokens <= 2
    assert [len(answers[n].first_token_logprobs) for n in range(5)] == [0, 0, 0, 0, 3]


def test_first_token_probabilities_are_probabilities(chat):
    [(_, answer)] = chat.complete([ask("가", top_logprobs=20)])
    total = sum(math.exp(logprob) for logprob in answer.first_token_logprobs.values())
    assert 0 < total <= 1.0001


def test_a_batch_does_not_change_the_probabilities(chat):
    long = ask("아주 긴 질문이 옆에 있어도 같은 답이어야 합니다.", top_logprobs=5)
    [(_, alone)] = chat.complete([ask("가", top_logprobs=5)])
    together = dict(chat.complete([long, ask("가", top_logprobs=5)]))[1]

    for token, logprob in alone.first_token_logprobs.items():
        assert together.first_token_logprobs[token] == pytest.approx(logprob, abs=1e-4)


def test_every_token_comes_with_its_alternatives_where_asked_for(chat):
    [(_, answer)] = chat.complete([ask("가", max_tokens=3, top_logprobs=5, every_token=True)])
    assert len(answer.tokens) == answer.completion_tokens > 0
    assert all(max(token.logprobs, key=token.logprobs.__getitem__) == token.text for token in answer.tokens), "greedy"
    assert answer.tokens[0].logprobs == answer.first_token_logprobs
    [(_, first)] = chat.complete([ask("가", max_tokens=3, top_logprobs=5)])
    assert first.tokens == [] and first.first_token_logprobs == pytest.approx(answer.first_token_logprobs)


def test_an_answer_cut_at_the_limit_says_so(chat):
    [(_, answer)] = chat.complete([ask("가", max_tokens=1)])
    assert (answer.finish_reason, answer.completion_tokens) == ("length", 1)


def test_tokens_of_the_prompt_are_counted_without_padding(chat):
    answers = dict(chat.complete([ask("가"), ask("가나다라마바사")]))
    # One byte is one token here; a Hangul syllable has three.
    assert answers[1].prompt_tokens - answers[0].prompt_tokens == 6 * 3


def test_stop_is_asked_between_batches(chat):
    asked = []
    answers = list(chat.complete([ask(str(n)) for n in range(6)], stop=lambda: bool(asked.append(1)) or len(asked) > 2))
    assert [position for position, _ in answers] == [0, 1, 2, 3]


def test_the_chat_template_is_the_tokenizers(chat):
    assert chat_text(chat._tokenizer, MESSAGES) == (
        "<|im_start|>system\n짧게.<|im_end|>\n<|im_start|>user\n셀?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_batch_too_large_for_memory_is_halved_and_nothing_is_lost(tiny_llm, monkeypatch):
    import torch

    model, tokenizer = load_llm_model(str(tiny_llm), device="cpu")
    chat = TransformersChat(model, tokenizer, batch_size=8)
    generate, sizes = model.generate, []

    def small(**inputs):
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(**inputs)

    monkeypatch.setattr(model, "generate", small)
    assert sorted(position for position, _ in chat.complete([ask(str(n)) for n in range(6)])) == list(range(6))
    assert sizes == [6, 3, 1, 1, 1, 1, 1, 1]


def test_one_request_too_large_for_memory_is_an_error(tiny_llm, monkeypatch):
    import torch

    model, tokenizer = load_llm_model(str(tiny_llm), device="cpu")

    def fails(**_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model, "generate", fails)
    with pytest.raises(ResourceError, match="one request alone"):
        list(TransformersChat(model, tokenizer).complete([ask("가")]))


def test_memory_is_watched_and_logged(chat, tmp_path, monkeypatch):
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events"))
    list(chat.complete([ask("가")]))

    event = json.loads((tmp_path / "events").read_text().splitlines()[-1])
    assert (event["event"], event["device"]) == ("memory", "cpu") and event["peak_gb"] > 0


def test_a_request_beyond_the_models_context_is_a_reject(chat):
    answers = dict(chat.complete([ask("가" * 300), ask("가")]))
    assert answers[0].reason == "context_too_long" and "512" in answers[0].detail
    assert answers[1].completion_tokens > 0


def test_the_precision_is_measured_not_told(tiny_llm):
    model, tokenizer = load_llm_model(str(tiny_llm), device="cpu", quantization="int8")
    assert TransformersChat(model, tokenizer).quantization == "int8"


def test_a_model_without_a_chat_template_completes_and_stops_at_the_next_turn(tmp_path, monkeypatch):
    model, tokenizer = load_llm_model(str(save_tiny_llm(tmp_path / "plain", chat_template=False)), device="cpu")
    import torch

    written = tokenizer("예\n\nuser: 또", add_special_tokens=False)["input_ids"]

    def writes(input_ids, **_):
        tail = torch.tensor([written] * len(input_ids))
        return type("Out", (), {"sequences": torch.cat([input_ids, tail], dim=1)})

    chat = TransformersChat(model, tokenizer)
    assert [answer.finish_reason for _, answer in chat.complete([ask("셀?"), ask("표를 만들려면?")])]
    monkeypatch.setattr(model, "generate", writes)
    [(_, answer)] = chat.complete([ask("셀?", max_tokens=40)])
    assert (answer.text, answer.finish_reason) == ("예", "stop")


def test_a_template_without_a_system_role_gets_it_in_the_first_question(chat):
    class Gemma:
        chat_template = "..."

        def apply_chat_template(self, messages, **_):
            if messages[0]["role"] == "system":
                raise TemplateError("System role not supported")
            return messages[0]["content"]

    assert chat_text(Gemma(), MESSAGES) == "짧게.\n\n셀?"


def test_without_a_chat_template_roles_are_written_out():
    assert chat_text(object(), MESSAGES) == "system: 짧게.\n\nuser: 셀?\n\nassistant:"
