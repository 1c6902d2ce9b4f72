"""What a checkpoint's metadata says about it, read before any weight is."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kosparse.errors import InputError

_KNOWN = Path(__file__).parent / "known_models.yaml"
_METHODS = {"mxfp4": "mxfp4", "awq": "awq", "gptq": "gptq", "fp8": "fp8", "fbgemm_fp8": "fp8"}
"""transformers' ``quant_method`` -> our name."""
_DTYPE_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}
"""safetensors dtype -> bytes; all others take one."""


@dataclass(frozen=True)
class Checkpoint:
    """Shape of a causal language model. Counts are numbers of weights, before any packing."""

    name: str
    precision: str
    """Of the stored blocks: ``fp32``, ``fp16``, ``bf16``, ``mxfp4``, ``awq``, ``gptq``, ``fp8``, ``int8``, ``int4``."""
    quantized: bool
    linear: int
    """Weights of the linear layers inside the blocks."""
    experts: int
    """Weights of experts held as one tensor per layer; 0 for dense models."""
    kept: int
    """Embeddings, output head, norms and biases: what no quantization here touches."""
    stored_bytes: int
    """Size of the tensors as stored; 0 when only the shape is known."""
    layers: int
    sliding_layers: int
    """Layers that look back ``window`` tokens only."""
    window: int
    kv_heads: int
    head_dim: int
    hidden: int
    vocabulary: int
    context: int
    """The longest prompt and answer together, in tokens."""

    @property
    def weights(self) -> int:
        """All of them."""
        return self.linear + self.experts + self.kept


def read_checkpoint(name: str) -> Checkpoint:
    """The shape of a model: a folder, a model in ``known_models.yaml``, or a hub id (its config is fetched).

    Raises:
        InputError: No such model, no config that transformers knows, or broken or missing weight files.
    """
    if Path(name).is_dir():
        config = _load_config(name)
        return _checkpoint(name, config, _stored_precision(config), stored_bytes(Path(name)))
    known = _known(name)
    if known is not None:
        from transformers import AutoConfig

        settings = dict(known["config"])
        return _checkpoint(name, AutoConfig.for_model(settings.pop("model_type"), **settings), known["precision"], 0)
    config = _load_config(name)
    return _checkpoint(name, config, _stored_precision(config), 0)


def published_precision(name: str) -> str:
    """What a model of ``known_models.yaml`` is published in; empty for all others. Needs neither torch nor network."""
    known = _known(name)
    return str(known["precision"]) if known else ""


def stored_bytes(folder: Path) -> int:
    """Bytes of all tensors, from the headers of the safetensors files; 0 when there are none.

    Raises:
        InputError: A file is broken, or one the index names is missing.
    """
    index = folder / "model.safetensors.index.json"
    files = {path.name for path in folder.glob("*.safetensors")}
    if index.is_file():
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if named - files:
            raise InputError(
                f"{len(named - files)} of {len(named)} weight files are missing, {min(named - files)} for one",
                where=str(folder),
                fix="Download the checkpoint again.",
            )
        files = named
    return sum(_tensor_bytes(folder / name) for name in sorted(files))


def _known(name: str) -> dict[str, Any] | None:
    """The shipped shape of a model, by its hub id or the last part of it."""
    models: dict[str, Any] = yaml.safe_load(_KNOWN.read_text(encoding="utf-8"))
    return next((shape for key, shape in models.items() if name in (key, key.rpartition("/")[2])), None)


def _load_config(name: str) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"cannot load the language model: {str(error).splitlines()[0]}",
            where=name,
            fix="Give a folder or a hub id that can be reached, or packaged:qwen2.5-coder-1.5b-instruct.",
        ) from error


def _checkpoint(name: str, config: Any, precision: str, size: int) -> Checkpoint:
    text = config.get_text_config()
    linear, experts, kept = _count(text)
    heads = text.num_attention_heads
    kinds = getattr(text, "layer_types", None) or []
    window = int(getattr(text, "sliding_window", None) or 0)
    return Checkpoint(
        name=name,
        precision=precision,
        quantized=precision in set(_METHODS.values()) or bool(getattr(config, "quantization_config", None)),
        linear=linear,
        experts=experts,
        kept=kept,
        stored_bytes=size,
        layers=text.num_hidden_layers,
        sliding_layers=sum(kind == "sliding_attention" for kind in kinds) if window else 0,
        window=window,
        kv_heads=getattr(text, "num_key_value_heads", None) or heads,
        head_dim=getattr(text, "head_dim", None) or text.hidden_size // heads,
        hidden=text.hidden_size,
        vocabulary=text.vocab_size,
        context=int(getattr(text, "max_position_embeddings", 0) or 0),
    )


def _count(config: Any) -> tuple[int, int, int]:
    """Weights of linear layers, of fused experts, and the rest: from the model built without memory."""
    import torch
    from transformers import AutoModelForCausalLM

    plain = copy.deepcopy(config)
    if hasattr(plain, "quantization_config"):
        del plain.quantization_config
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(plain)
    kept = {id(parameter) for parameter in unquantized(model)}
    linear = experts = rest = 0
    for parameter in model.parameters():
        if id(parameter) in kept or parameter.dim() < 2:
            rest += parameter.numel()
        elif parameter.dim() == 3:
            experts += parameter.numel()
        else:
            linear += parameter.numel()
    return linear, experts, rest


def unquantized(model: Any) -> list[Any]:
    """The parameters every method leaves as they are: embedding tables and the output head."""
    import torch

    found = [module.weight for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    head = model.get_output_embeddings()
    return [*found, head.weight] if head is not None else found


def _stored_precision(config: Any) -> str:
    settings = getattr(config, "quantization_config", None)
    if not settings:
        names = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
        return names.get(str(getattr(config, "dtype", None)).removeprefix("torch."), "fp32")
    method = str(settings.get("quant_method", ""))
    if method == "bitsandbytes":
        return "int4" if settings.get("load_in_4bit") else "int8"
    if method == "compressed-tensors":
        return _compressed(settings)
    return _METHODS.get(method, method)


def _compressed(settings: dict[str, Any]) -> str:
    """``int8``, ``int4`` or ``fp8``: what compressed-tensors says of its first group."""
    groups = list(settings.get("config_groups", {}).values())
    weights = (groups[0].get("weights") if groups else None) or {}
    return f"{'fp' if weights.get('type') == 'float' else 'int'}{weights.get('num_bits', '?')}"


def _tensor_bytes(file: Path) -> int:
    """Sum over a safetensors header: 8 bytes little-endian length, then JSON."""
    try:
        with open(file, "rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        return sum(
            math.prod(tensor["shape"]) * _DTYPE_BYTES.get(tensor["dtype"], 1)
            for name, tensor in header.items()
            if name != "__metadata__"
        )
    except (OSError, ValueError, KeyError, MemoryError, OverflowError) as error:
        raise InputError(f"not a safetensors file: {error}", where=str(file), fix="Download it again.") from error
