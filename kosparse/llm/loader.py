"""Language models: loaded into this process, or opened wherever the environment says they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kosparse import progress
from kosparse.errors import ConfigError, InputError, ResourceError
from kosparse.llm import memory
from kosparse.llm.checkpoint import Checkpoint, read_checkpoint
from kosparse.llm.quantization import (
    ON_LOADING,
    check_choice,
    load_arguments,
    measure,
    require_precision,
)
from kosparse.ports import ChatModel, ChatRequest, LlmEndpoint
from kosparse.records import Completion
from kosparse.settings import Settings, settings
from kosparse.trust import why_not_loaded

MEASURED = "kosparse_quantization"
"""Attribute of a loaded model: its precision, measured."""


def load_llm_model(
    model_name: str,
    device: str = "auto",
    quantization: str | None = None,
    *,
    context: int = 2048,
    batch_size: int = 8,
    cpu_offload: bool = False,
) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer.

    Before any weight is read, what it would take is compared with what the device has free; after
    loading, the precision of every weight is measured.

    Args:
        model_name: Hub id, folder, or ``packaged:<name>``.
        device: ``cuda``, ``cuda:1``, ``cpu`` or ``auto`` (a GPU where there is one).
        quantization: One of ``quantization.PRECISIONS``. None takes what the checkpoint is packed in,
            else bf16 on a GPU; on a CPU fp32, or bf16 where fp32 does not fit.
        context: Tokens of prompt and answer together that memory is counted for; at most the model's.
        batch_size: Requests at once that memory is counted for.
        cpu_offload: Let layers that do not fit on the GPU wait in main memory. Not for int8 and int4.

    Returns:
        ``(model, tokenizer)``; the model carries ``kosparse_quantization``, the measured precision.

    Raises:
        ConfigError: No such precision or device, or not for this checkpoint.
        InputError: No such model.
        ResourceError: Too little memory, or the weights did not take the requested precision.
    """
    from kosparse.models import resolve

    location = str(resolve(model_name))
    target = _device(device)
    checkpoint = read_checkpoint(location)
    context = min(context, checkpoint.context or context)
    free = _free(target, cpu_offload)
    precision = quantization or _default_precision(checkpoint, target, free, context, batch_size)
    check_choice(checkpoint, precision)
    if cpu_offload and precision in ON_LOADING:
        raise ConfigError(
            f"layers in main memory cannot be {precision}", where="cpu_offload", fix="Ask for bf16, or do not offload."
        )
    memory.require_memory(checkpoint, precision, free, target, context, batch_size)
    model, tokenizer = _load(checkpoint, location, precision, target, free, cpu_offload)
    measured = measure(model)
    progress.note(f"{model_name} on {target}: {measured}")
    require_precision(measured, precision, model_name)
    setattr(model, MEASURED, measured.precision)
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
    reasoning_effort: str = "low",
) -> list[str]:
    """Answer prompts in true batches; one text per prompt, in order.

    Each prompt becomes a user turn under the tokenizer's chat template. At temperature 0 a batch gives
    the same texts as one by one. A model that thinks first and does not come to an answer within
    ``max_new_tokens`` gives an empty text.

    Raises:
        InputError: A prompt is too long for the model.
        ResourceError: Not even one prompt fits into memory.
    """
    from kosparse.llm.transformers_chat import TransformersChat

    prompts = [prompts] if isinstance(prompts, str) else prompts
    chat = TransformersChat(llm_model, llm_tokenizer, batch_size=batch_size, reasoning_effort=reasoning_effort)
    requests = [
        ChatRequest(({"role": "user", "content": prompt},), None, max_new_tokens, temperature, top_p, seed)
        for prompt in prompts
    ]
    texts = [""] * len(requests)
    for position, answer in chat.complete(requests):
        if isinstance(answer, Completion):
            texts[position] = answer.text
        elif answer.reason == "context_too_long":
            raise InputError(
                f"prompt {position} is too long: {answer.detail}",
                where=chat.model,
                fix="Shorten the prompt or max_new_tokens.",
            )
    return texts


def open_chat_model(concurrency: int = 8) -> ChatModel:
    """The language model the environment names, behind the response cache.

    On a cluster where no address is given it is the server ``serve_llm`` started for this run.

    Raises:
        ConfigError: The environment names none.
        ServiceError: This run's server does not answer.
    """
    from kosparse.llm.shared_cache import with_cache

    current = settings()
    inner = _in_process(current) if current.llm_backend == "transformers" else _over_http(current, concurrency)
    return with_cache(inner, current)


def _over_http(current: Settings, concurrency: int) -> ChatModel:
    from kosparse.adapters.chat_openai import OpenAiChatModel

    endpoint, revision, quantization = _endpoint(current)
    return OpenAiChatModel(
        endpoint,
        revision=revision,
        quantization=quantization,
        concurrency=concurrency,
        timeout=current.llm_timeout,
        reasoning_effort=current.llm_reasoning_effort,
    )


def _endpoint(current: Settings) -> tuple[LlmEndpoint, str, str]:
    """Address, revision and precision of the model: from the environment, or from this run's server."""
    if current.llm_base_url and current.llm_model:
        endpoint = LlmEndpoint(current.llm_base_url, current.llm_model, current.llm_api_key)
        return endpoint, current.llm_revision, current.llm_quantization
    if current.llm_base_url or "KUBERNETES_SERVICE_HOST" not in os.environ:
        raise ConfigError(
            "no language model is configured",
            where="LLM_BASE_URL, LLM_MODEL",
            fix="Set both (and LLM_API_KEY where the server wants one), or use `make run`, which starts one.",
        )
    from kosparse.llm.endpoint import wait_for_models
    from kosparse.llm.manifests import base_url, read_alias

    address = base_url(current.run_id)
    names = [str(model["id"]) for model in wait_for_models(address, current.llm_api_key, timeout=60.0)]
    model, revision, quantization = read_alias(names)
    return LlmEndpoint(address, model, current.llm_api_key), revision, quantization


def _in_process(current: Settings) -> ChatModel:
    from kosparse.llm.transformers_chat import TransformersChat

    if not current.llm_model:
        raise ConfigError("no language model is named", where="LLM_MODEL", fix="Set it to a folder or hub id.")
    model, tokenizer = load_llm_model(current.llm_model, quantization=current.llm_quantization or None)
    return TransformersChat(
        model,
        tokenizer,
        name=Path(current.llm_model).name,
        revision=current.llm_revision,
        reasoning_effort=current.llm_reasoning_effort or "low",
    )


def _device(name: str) -> str:
    """The torch device meant.

    Raises:
        ConfigError: There is no such device here.
    """
    import torch

    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    number = int(index) if index.isdigit() else 0
    if name == "cpu" or (kind == "cuda" and number < torch.cuda.device_count()):
        return f"cuda:{number}" if kind == "cuda" else name
    raise ConfigError(
        f"there is no device {name!r} here; torch sees {torch.cuda.device_count()} GPUs",
        where="device",
        fix='Give device="auto" or "cpu".',
    )


def _free(device: str, cpu_offload: bool) -> int:
    """Bytes free on the device, with main memory added where layers may wait there."""
    *gpus, cpu = memory.check_gpu_memory()
    if device == "cpu":
        return cpu.free
    own = gpus[int(device.partition(":")[2])].free
    return own + cpu.free if cpu_offload else own


def _default_precision(checkpoint: Checkpoint, device: str, free: int, context: int, batch_size: int) -> str:
    unpacks = checkpoint.precision == "mxfp4" and device == "cpu"  # its kernels want a GPU
    if checkpoint.quantized and not unpacks:
        return checkpoint.precision
    if device != "cpu":
        return "bf16"
    return "fp32" if memory.need(checkpoint, "fp32", context, batch_size).total <= free else "bf16"


def _load(
    checkpoint: Checkpoint, location: str, precision: str, device: str, free: int, cpu_offload: bool
) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    packs_experts = precision in ON_LOADING and checkpoint.experts > 0 and checkpoint.precision != precision
    # Experts are packed after loading; where the device cannot hold them plain, that happens in main memory.
    staged = packs_experts and memory.weight_bytes(checkpoint, "bf16") > free
    if staged:
        _check_staging(checkpoint)
    place = "auto" if cpu_offload and device != "cpu" else "cpu" if staged else device
    try:
        tokenizer = AutoTokenizer.from_pretrained(location)
        model: Any = AutoModelForCausalLM.from_pretrained(
            location, device_map=place, use_safetensors=True, **load_arguments(checkpoint, precision)
        )
    except (OSError, ValueError) as error:
        reason, fix = why_not_loaded(
            error, "Give a folder or a hub id that can be reached, or packaged:qwen2.5-coder-1.5b-instruct."
        )
        raise InputError(f"cannot load the language model: {reason}", where=checkpoint.name, fix=fix) from error
    except ImportError as error:
        raise ConfigError(
            f"{precision} needs a package that is not installed: {str(error).splitlines()[0]}",
            where=checkpoint.name,
            fix="Install it, or take a checkpoint in plain weights.",
        ) from error
    if packs_experts:
        from kosparse.llm.experts import quantize

        quantize(model, precision)
        model.to(device)
    return model.eval(), tokenizer


def _check_staging(checkpoint: Checkpoint) -> None:
    """Refuse to unpack a model into too little main memory."""
    plain, free = memory.weight_bytes(checkpoint, "bf16"), memory.check_gpu_memory()[-1].free
    if plain > free:
        raise ResourceError(
            f"packing the experts of {checkpoint.name} unpacks them first: {plain / 1e9:.1f} GB, {free / 1e9:.1f} GB "
            "of main memory are free",
            where="cpu",
            fix=f"Load it as {checkpoint.precision}, or free main memory.",
        )
