"""Models in this process and models elsewhere, opened by what the environment says."""

import json

import pytest
import torch

from kosparse.adapters.chat_openai import OpenAiChatModel
from kosparse.errors import ConfigError, InputError, ResourceError
from kosparse.llm.loader import _check_precision, generate_text, load_llm_model, open_chat_model
from kosparse.llm.transformers_chat import TransformersChat
from kosparse.ports import ChatRequest

PROMPTS = ["셀을 보호하려면?", "Cell", "문서의 표를 만드는 아주 긴 질문입니다. 어떻게 하면 좋을까요?"]


def linear_bytes(model, dtype):
    return sum(
        weight.numel() * weight.element_size()
        for name, weight in model.named_parameters()
        if "proj.weight" in name and weight.dtype == dtype
    )


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("int8", torch.int8), ("int4", torch.uint8)],
)
def test_weights_take_the_precision_asked_for_and_still_generate(tiny_llm, precision, dtype):
    model, tokenizer = load_llm_model(str(tiny_llm), device="cpu", quantization=precision)

    assert model.kosparse_quantization == precision
    assert linear_bytes(model, dtype) > 0
    assert len(generate_text(PROMPTS, model, tokenizer, max_new_tokens=3)) == 3


def test_a_batch_gives_the_same_texts_as_one_by_one(tiny_llm):
    model, tokenizer = load_llm_model(str(tiny_llm), device="cpu")
    alone = [generate_text(prompt, model, tokenizer, max_new_tokens=12)[0] for prompt in PROMPTS]

    assert generate_text(PROMPTS, model, tokenizer, max_new_tokens=12, batch_size=3) == alone
    assert tokenizer.padding_side == "right"  # the caller's tokenizer is as it was


def test_sampling_repeats_with_its_seed_and_differs_without(tiny_llm):
    model, tokenizer = load_llm_model(str(tiny_llm), device="cpu")

    def sample(seed):
        return generate_text(PROMPTS, model, tokenizer, max_new_tokens=12, temperature=1.0, seed=seed)

    assert sample(1) == sample(1) != sample(2)


def test_weights_left_at_another_precision_are_an_error(tiny_llm):
    model, _ = load_llm_model(str(tiny_llm), device="cpu", quantization="bf16")
    model.model.layers[0].float()

    with pytest.raises(ResourceError, match="of the weight bytes are bf16"):
        _check_precision(model, "bf16", "tiny")


def test_an_unknown_precision_lists_the_known_ones(tiny_llm):
    with pytest.raises(ConfigError, match="no precision 'int3'") as error:
        load_llm_model(str(tiny_llm), quantization="int3")
    assert "int8" in error.value.fix


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot load the language model") as error:
        load_llm_model(str(tmp_path), device="cpu")
    assert str(tmp_path) in error.value.where


def test_the_environment_opens_a_model_in_this_process_behind_the_cache(tiny_llm, tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_BACKEND", "transformers")
    monkeypatch.setenv("LLM_MODEL", str(tiny_llm))
    monkeypatch.setenv("LLM_QUANTIZATION", "")
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path))
    request = ChatRequest(({"role": "user", "content": "셀"},), max_tokens=2)

    first = open_chat_model()
    assert isinstance(first.inner, TransformersChat) and (first.model, first.quantization) == ("tiny", "fp32")
    assert [answer.cached for _, answer in first.complete([request])] == [False]
    assert [answer.cached for _, answer in open_chat_model().complete([request])] == [True]


def test_the_environment_opens_a_model_elsewhere(tmp_path, monkeypatch):
    settings = {"LLM_BACKEND": "http", "LLM_BASE_URL": "http://127.0.0.1:9/v1", "LLM_MODEL": "m"}
    settings |= {"LLM_REVISION": "abc", "LLM_QUANTIZATION": "bf16", "KOSPARSE_CACHE": str(tmp_path)}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    model = open_chat_model(concurrency=3)

    assert isinstance(model.inner, OpenAiChatModel) and model.inner.concurrency == 3
    assert (model.model, model.revision, model.quantization) == ("m", "abc", "bf16")


def test_an_environment_that_names_no_model_says_what_to_set(monkeypatch):
    monkeypatch.setenv("LLM_BACKEND", "http")
    monkeypatch.delenv("LLM_BASE_URL", raising=False)
    with pytest.raises(ConfigError, match="no language model is configured"):
        open_chat_model()


def test_the_quantization_bitsandbytes_config_is_not_left_in_the_checkpoint(tiny_llm):
    load_llm_model(str(tiny_llm), device="cpu", quantization="int8")
    assert "quantization_config" not in json.loads((tiny_llm / "config.json").read_text())
