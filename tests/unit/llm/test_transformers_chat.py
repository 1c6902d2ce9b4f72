"""The in-process chat model: batches, probabilities, and prompts for models without a chat template."""

import math

import pytest

from kosparse.llm.loader import load_llm_model
from kosparse.llm.transformers_chat import TransformersChat, chat_text
from kosparse.ports import ChatRequest

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


def test_without_a_chat_template_roles_are_written_out():
    assert chat_text(object(), MESSAGES) == "system: 짧게.\n\nuser: 셀?\n\nassistant:"
