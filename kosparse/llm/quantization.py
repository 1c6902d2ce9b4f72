"""Precision of weights: what can be asked of a checkpoint, how it is loaded, and what came of it, measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from kosparse.errors import ConfigError, ResourceError
from kosparse.llm.checkpoint import Checkpoint, unquantized

PLAIN = ("fp32", "fp16", "bf16")
ON_LOADING = ("int8", "int4")
"""Made of plain weights while loading: LLM.int8, and nf4 with double quantization."""
NATIVE = ("mxfp4", "awq", "gptq", "fp8")
"""Only where the checkpoint is published so."""
PRECISIONS = (*PLAIN, *ON_LOADING, *NATIVE)

_LEAST_SHARE = 0.9
"""Of the weights inside the blocks that must really be at the requested precision."""


def choices(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The precisions a checkpoint can be loaded at. MXFP4 can be unpacked; other packed ones are what they are."""
    if not checkpoint.quantized:
        return (*PLAIN, *ON_LOADING)
    if checkpoint.precision == "mxfp4":
        return ("mxfp4", *PLAIN, *ON_LOADING)
    return (checkpoint.precision,)


def check_choice(checkpoint: Checkpoint, precision: str) -> None:
    """Refuse what a checkpoint cannot be loaded at.

    Raises:
        ConfigError: No such precision, or not for this checkpoint; lists those it has.
    """
    if precision not in PRECISIONS:
        raise ConfigError(
            f"there is no precision {precision!r}", where="quantization", fix=f"Choose of {', '.join(PRECISIONS)}."
        )
    if precision not in choices(checkpoint):
        raise ConfigError(
            f"{checkpoint.name} is stored as {checkpoint.precision} and cannot be loaded as {precision}",
            where="quantization",
            fix=f"Choose of {', '.join(choices(checkpoint))}, or a checkpoint published as {precision}.",
        )


def load_arguments(checkpoint: Checkpoint, precision: str) -> dict[str, Any]:
    """What ``from_pretrained`` needs to load the checkpoint at a precision.

    Fused experts cannot be quantized by it: they arrive plain, and ``experts.quantize`` packs them.
    """
    import torch

    dtype = {"fp32": torch.float32, "fp16": torch.float16}.get(precision, torch.bfloat16)
    if precision in PLAIN or (precision in ON_LOADING and checkpoint.experts and not _stored_so(checkpoint, precision)):
        return {"dtype": dtype, **_unpacked(checkpoint)}
    if precision in ON_LOADING and not checkpoint.quantized:
        return {"dtype": dtype, "quantization_config": _bitsandbytes(precision)}
    return {"dtype": dtype} if precision == "mxfp4" else {"dtype": "auto"}


def _stored_so(checkpoint: Checkpoint, precision: str) -> bool:
    return checkpoint.quantized and checkpoint.precision == precision


def _unpacked(checkpoint: Checkpoint) -> dict[str, Any]:
    if checkpoint.precision != "mxfp4":
        return {}
    from transformers.utils.quantization_config import Mxfp4Config

    return {"quantization_config": Mxfp4Config(dequantize=True)}


def _bitsandbytes(precision: str) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    if precision == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


@dataclass(frozen=True)
class Measured:
    """What a loaded model's weights are."""

    bytes: dict[str, int]
    """Precision -> bytes, over all weights; most bytes first."""
    blocks: dict[str, int]
    """Precision -> number of weights, without embedding tables, output head, norms and biases.

    Weights, not bytes: at four bits a byte holds two of them."""

    @property
    def precision(self) -> str:
        """Of most weights inside the blocks."""
        return max(self.blocks, key=lambda name: self.blocks[name]) if self.blocks else "none"

    def share(self, precision: str) -> float:
        """Of the weights inside the blocks at a precision, 0 to 1."""
        total = sum(self.blocks.values())
        return self.blocks.get(precision, 0) / total if total else 0.0

    def __str__(self) -> str:
        """``mxfp4 10.15 GB, bf16 3.61 GB``."""
        return ", ".join(f"{name} {size / 1e9:.2f} GB" for name, size in self.bytes.items())


def measure(model: Any) -> Measured:
    """Count every weight of a loaded model by the precision it really has."""
    kept = {id(parameter) for parameter in unquantized(model)}
    sizes: Counter[str] = Counter()
    blocks: Counter[str] = Counter()
    for tensor in _weights(model):
        name, count, size = _describe(tensor)
        sizes[name] += size
        if id(tensor) not in kept and tensor.dim() > 1:
            blocks[name] += count
    for name, count, size in _packed(model):
        sizes[name] += size
        blocks[name] += count
    return Measured(dict(sizes.most_common()), dict(blocks.most_common()))


def require_precision(measured: Measured, precision: str, name: str) -> None:
    """Refuse a model whose weights did not take the precision asked for.

    Raises:
        ResourceError: Under nine tenths of the weights inside the blocks are at it; says what they are.
    """
    share = measured.share(precision)
    if measured.blocks and share < _LEAST_SHARE:
        raise ResourceError(
            f"only {share:.0%} of the weights are {precision}; the model came out as {measured}",
            where=name,
            fix=_remedy(precision),
        )


def _remedy(precision: str) -> str:
    if precision == "mxfp4":
        return (
            "MXFP4 needs a GPU (compute capability 7.5 or newer) and the packages triton and kernels; "
            "without them transformers unpacks the weights. Install them, or ask for bf16, int8 or int4."
        )
    return f"This model's layers do not take {precision}; choose bf16, or another model."


def _weights(model: Any) -> list[Any]:
    """Parameters, each once, without those that ``_packed`` counts."""
    packed = {id(value) for module in model.modules() if _is_mxfp4(module) for value in module.parameters()}
    return [parameter for parameter in model.parameters() if id(parameter) not in packed]


def _describe(parameter: Any) -> tuple[str, int, int]:
    """Precision, number of weights and bytes of one parameter."""
    import torch

    names = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16", torch.int8: "int8"}
    size = parameter.numel() * parameter.element_size()
    state = getattr(parameter, "quant_state", None)
    if state is not None:
        return "int4", state.shape.numel(), size
    name = names.get(parameter.dtype) or ("fp8" if "float8" in str(parameter.dtype) else str(parameter.dtype)[6:])
    return name, parameter.numel(), size


def _packed(model: Any) -> list[tuple[str, int, int]]:
    """Precision, weights and bytes of what is not a plain parameter: MXFP4 experts, AWQ and GPTQ layers."""
    found = []
    for module in model.modules():
        if _is_mxfp4(module):
            count = 3 * module.num_experts * module.hidden_size * module.intermediate_size
            found.append(("mxfp4", count, count * 17 // 32))  # 4 bits each, and a scale byte for 32 of them
        elif hasattr(module, "qweight"):
            bits = int(getattr(module, "bits", 0) or getattr(module, "w_bit", 4))
            size = module.qweight.numel() * module.qweight.element_size()
            found.append(("awq" if hasattr(module, "w_bit") else "gptq", size * 8 // bits, size))
    return found


def _is_mxfp4(module: Any) -> bool:
    return type(module).__name__ == "Mxfp4GptOssExperts"
