"""Language models: loaded into this process, or opened wherever the environment says they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kosparse.errors import ConfigError, InputError, ResourceError
from kosparse.ports import ChatModel, ChatRequest, LlmEndpoint
from kosparse.records import Completion
from kosparse.settings import Settings, settings

PRECISIONS = ("fp32", "fp16", "bf16", "int8", "int4")
MEASURED = "kosparse_quantization"
"""Attribute of a loaded model: its precision, measured."""
_LEAST_SHARE = 0.9
"""Of all weight bytes that must really be at the requested precision."""


def load_llm_model(model_name: str, device: str = "auto", quantization: str | None = None) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer.

    Args:
        model_name: Hub id, folder, or ``packaged:<name>``.
        device: ``cuda``, ``cpu`` or ``auto`` (a GPU where there is one).
        quantization: One of ``PRECISIONS``; None takes bf16 on a GPU, fp32 on a CPU. int8 and int4
            (nf4, double quantization) are bitsandbytes'.

    Returns:
        ``(model, tokenizer)``; the model carries ``kosparse_quantization``, the measured precision.

    Raises:
        ConfigError: No such precision.
        InputError: No such model.
        ResourceError: The weights did not take the requested precision.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from kosparse.models import resolve

    if quantization is not None and quantization not in PRECISIONS:
        raise ConfigError(
            f"there is no precision {quantization!r}", where="quantization", fix=f"Choose of {', '.join(PRECISIONS)}."
        )
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    precision = quantization or ("bf16" if device.startswith("cuda") else "fp32")
    location = str(resolve(model_name))
    try:
        tokenizer = AutoTokenizer.from_pretrained(location)
        model = AutoModelForCausalLM.from_pretrained(location, device_map=device, **_precision_arguments(precision))
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot load the language model: {str(error).splitlines()[0]}",
            where=model_name,
            fix="Give a folder or a hub id that can be reached, or packaged:qwen2.5-coder-1.5b-instruct.",
        ) from error
    model.eval()
    setattr(model, MEASURED, _check_precision(model, precision, model_name))
    return model, tokenizer


def generate_text(
    prompts: str | Sequence[str],
    llm_model: Any,
    llm_tokenizer: Any,
    *,
    max_new_tokens: int = 256,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    batch_size: int = 8,
) -> list[str]:
    """Answer prompts in true batches; one text per prompt, in order.

    Each prompt becomes a user turn under the tokenizer's chat template. At temperature 0 a batch gives
    the same texts as one by one.
    """
    from kosparse.llm.transformers_chat import TransformersChat

    prompts = [prompts] if isinstance(prompts, str) else prompts
    chat = TransformersChat(llm_model, llm_tokenizer, batch_size=batch_size)
    requests = [
        ChatRequest(({"role": "user", "content": prompt},), None, max_new_tokens, temperature, top_p, seed)
        for prompt in prompts
    ]
    texts = [""] * len(requests)
    for position, answer in chat.complete(requests):
        assert isinstance(answer, Completion)
        texts[position] = answer.text
    return texts


def open_chat_model(concurrency: int = 8) -> ChatModel:
    """The language model the environment names, behind the response cache.

    Raises:
        ConfigError: The environment names none.
    """
    from kosparse.llm.cache import CachedChatModel

    current = settings()
    inner = _in_process(current) if current.llm_backend == "transformers" else _over_http(current, concurrency)
    return CachedChatModel(inner, current.response_cache)


def _over_http(current: Settings, concurrency: int) -> ChatModel:
    from kosparse.adapters.chat_openai import OpenAiChatModel

    if not current.llm_base_url or not current.llm_model:
        raise ConfigError(
            "no language model is configured",
            where="LLM_BASE_URL, LLM_MODEL",
            fix="Set both (and LLM_API_KEY where the server wants one), or use `make run`, which starts one.",
        )
    return OpenAiChatModel(
        LlmEndpoint(current.llm_base_url, current.llm_model, current.llm_api_key),
        revision=current.llm_revision,
        quantization=current.llm_quantization,
        concurrency=concurrency,
    )


def _in_process(current: Settings) -> ChatModel:
    from kosparse.llm.transformers_chat import TransformersChat

    if not current.llm_model:
        raise ConfigError("no language model is named", where="LLM_MODEL", fix="Set it to a folder or hub id.")
    model, tokenizer = load_llm_model(current.llm_model, quantization=current.llm_quantization or None)
    name = Path(current.llm_model).name
    return TransformersChat(
        model, tokenizer, name=name, revision=current.llm_revision, quantization=getattr(model, MEASURED)
    )


def _precision_arguments(precision: str) -> dict[str, Any]:
    import torch

    dtypes = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    if precision in dtypes:
        return {"dtype": dtypes[precision]}
    from transformers import BitsAndBytesConfig

    if precision == "int8":
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}
    four = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": four}


def _check_precision(model: Any, precision: str, name: str) -> str:
    """Compare the precision asked for with the one the weights have; return it.

    bitsandbytes quantizes linear layers and leaves embeddings alone, so the share counts the
    parameters of linear layers only.
    """
    import torch

    wanted = {
        "fp32": torch.float32,
        "fp16": torch.float16,
        "bf16": torch.bfloat16,
        "int8": torch.int8,
        "int4": torch.uint8,
    }[precision]
    blocks = [
        parameter
        for key, parameter in model.named_parameters()
        if parameter.dim() > 1 and not any(part in key for part in ("embed", "lm_head", "wte", "wpe"))
    ]
    total = sum(parameter.numel() * parameter.element_size() for parameter in blocks)
    right = sum(parameter.numel() * parameter.element_size() for parameter in blocks if parameter.dtype == wanted)
    if total and right < _LEAST_SHARE * total:
        raise ResourceError(
            f"only {right / total:.0%} of the weight bytes are {precision}",
            where=name,
            fix="This model's layers do not take that quantization; choose bf16, or another model.",
        )
    return precision
