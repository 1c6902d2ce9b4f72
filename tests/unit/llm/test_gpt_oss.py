"""gpt-oss in this process: a random one, in the layout it is published in and in bf16."""

import pytest

from kosparse.errors import ConfigError, ResourceError
from kosparse.llm import harmony
from kosparse.llm.loader import generate_text, load_llm_model
from kosparse.llm.quantization import measure
from kosparse.llm.transformers_chat import TransformersChat, chat_text
from kosparse.ports import ChatRequest
from kosparse.records import Completion, Reject

MESSAGES = ({"role": "system", "content": "짧게."}, {"role": "user", "content": "셀?"})
SCHEMA = {"type": "object", "properties": {"label": {"enum": ["예", "아니오"]}}}


def load(folder, precision=None):
    return load_llm_model(str(folder), device="cpu", quantization=precision)


def logits(model, tokenizer):
    import torch

    inputs = tokenizer(chat_text(tokenizer, MESSAGES), return_tensors="pt", add_special_tokens=False)
    with torch.inference_mode():
        return model(**inputs).logits[0, -1].float()


@pytest.fixture(scope="module")
def plain(tiny_gpt_oss):
    return load(tiny_gpt_oss("bf16"), "fp32")


def test_the_published_layout_holds_the_numbers_of_the_plain_one(tiny_gpt_oss, plain):
    import torch

    packed = load(tiny_gpt_oss("mxfp4"), "fp32")
    assert packed[0].kosparse_quantization == "fp32"
    torch.testing.assert_close(logits(*packed), logits(*plain))


@pytest.mark.parametrize(("precision", "difference"), [("int8", 0.06), ("int4", 0.3)])
def test_int8_and_int4_cover_the_experts(tiny_gpt_oss, plain, precision, difference):
    model, tokenizer = load(tiny_gpt_oss("mxfp4"), precision)

    assert model.kosparse_quantization == precision
    assert measure(model).share(precision) > 0.9
    expected = logits(*plain)
    assert (logits(model, tokenizer) - expected).norm() < difference * expected.norm()
    assert len(generate_text(["가", "나다"], model, tokenizer, max_new_tokens=2)) == 2


def test_bitsandbytes_alone_would_leave_the_experts_in_bf16(tiny_gpt_oss):
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    model = AutoModelForCausalLM.from_pretrained(
        tiny_gpt_oss("bf16"), dtype=torch.bfloat16, quantization_config=BitsAndBytesConfig(load_in_8bit=True)
    )
    measured = measure(model)
    assert measured.precision == "bf16" and measured.share("int8") < 0.1


def test_mxfp4_without_its_kernels_is_noticed(tiny_gpt_oss):
    with pytest.raises(ResourceError, match="only 0% of the weights are mxfp4; the model came out as bf16") as error:
        load(tiny_gpt_oss("mxfp4"), "mxfp4")
    assert "triton and kernels" in error.value.fix


def test_a_plain_checkpoint_cannot_become_mxfp4(tiny_gpt_oss):
    with pytest.raises(ConfigError, match="stored as bf16 and cannot be loaded as mxfp4") as error:
        load(tiny_gpt_oss("bf16"), "mxfp4")
    assert "int8" in error.value.fix


def test_the_prompt_says_how_long_to_think(plain):
    assert "Reasoning: high" in chat_text(plain[1], MESSAGES, "high")
    with pytest.raises(ConfigError, match="no reasoning effort 'none'"):
        TransformersChat(*plain, reasoning_effort="none")


def test_a_schema_stands_with_the_instructions(plain):
    chat = TransformersChat(*plain)
    prompt = chat._prompt(ChatRequest(MESSAGES, SCHEMA))

    developer = prompt.partition("<|start|>developer<|message|>")[2].partition("<|end|>")[0]
    assert developer.startswith("# Instructions\n\n짧게.\n\n# Response Formats") and '"예"' in developer


def test_probabilities_are_the_answers_first_token_without_reasoning(plain):
    chat = TransformersChat(*plain)
    request = ChatRequest(MESSAGES, max_tokens=1, top_logprobs=5)

    assert chat._prompt(request).endswith("<|start|>assistant<|channel|>final<|message|>")
    [(_, answer)] = chat.complete([request])
    assert isinstance(answer, Completion) and len(answer.first_token_logprobs) == 5


def test_an_answer_that_never_comes_is_a_reject_and_an_empty_text(plain):
    [(_, answer)] = TransformersChat(*plain).complete([ChatRequest(MESSAGES, max_tokens=3)])
    assert isinstance(answer, Reject) and answer.reason == "empty_answer" and "final channel" in answer.detail
    assert generate_text("셀?", *plain, max_new_tokens=3) == [""]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<|channel|>final<|message|>예<|return|>", "예"),
        ("<|channel|>analysis<|message|>final 예?<|end|><|start|>assistant<|channel|>final<|message|>아니오", "아니오"),
        ('<|channel|>final <|constrain|>json<|message|>{"a": 1}<|return|>', '{"a": 1}'),
        ("<|channel|>analysis<|message|>예<|end|>", None),
        ("<|channel|>final<|message|> <|return|>", None),
        ("예", None),
    ],
)
def test_only_the_final_channel_is_the_answer(text, answer):
    assert harmony.final_answer(text) == answer
