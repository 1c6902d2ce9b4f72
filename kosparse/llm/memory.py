"""How much memory there is, and how much a model would take, before any weight is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kosparse import progress
from kosparse.errors import ResourceError
from kosparse.llm.checkpoint import Checkpoint, read_checkpoint
from kosparse.llm.quantization import PLAIN, choices

BYTES_PER_WEIGHT = {
    "fp32": 4.0,
    "fp16": 2.0,
    "bf16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.516,
    "awq": 0.53,
    "gptq": 0.53,
    "mxfp4": 0.53125,
}
"""Scales and zero points included: nf4 has 0.127 bits more per weight, AWQ and GPTQ (groups of 128) 0.25, MXFP4 a
byte for 32."""

_HEADROOM = 1.1
"""A tenth for fragmentation and the runtime's own buffers."""
_PREFILL_TOKENS = 8192
"""Prompt tokens worked on at once, at most: servers cut longer prefills into such chunks."""
_VECTORS_PER_TOKEN = 8
"""Hidden vectors alive per token in a block: residual, normed, query, key, value, attention, gate and up."""


@dataclass(frozen=True)
class DeviceMemory:
    """Memory of one device, in bytes."""

    device: str
    total: int
    free: int


@dataclass(frozen=True)
class Need:
    """What a model takes at a precision, in bytes."""

    precision: str
    weights: int
    kv_cache: int
    activations: int

    @property
    def total(self) -> int:
        """All of it, and a tenth more."""
        return int((self.weights + self.kv_cache + self.activations) * _HEADROOM)


def check_gpu_memory(model_name: str | None = None, *, context: int = 4096, concurrency: int = 8) -> list[DeviceMemory]:
    """Total and free memory of every GPU, then of this machine as ``cpu``.

    Args:
        model_name: Folder, hub id or shipped shape; a table of what it would take is printed when given.
        context: Tokens of prompt and answer together.
        concurrency: Requests at once.
    """
    import psutil
    import torch

    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        found.append(DeviceMemory(f"cuda:{index} {torch.cuda.get_device_name(index)}", total, free))
    memory = psutil.virtual_memory()
    found.append(DeviceMemory("cpu", memory.total, memory.available))
    if model_name is not None:
        print(table(read_checkpoint(model_name), found, context, concurrency))
    return found


def card(gibibytes: float) -> DeviceMemory:
    """A GPU of a size one does not have: half a gigabyte is the driver's."""
    total = int(gibibytes * 2**30)
    return DeviceMemory(f"{gibibytes:g} GB", total, total - 500_000_000)


def need(checkpoint: Checkpoint, precision: str, context: int, concurrency: int) -> Need:
    """Memory for weights, KV cache and activations.

    Args:
        checkpoint: What is to be loaded.
        precision: Of the weights inside the blocks, or of the experts where there are any.
        context: Tokens of prompt and answer together, >= 1.
        concurrency: Requests at once, >= 1.
    """
    element = 4 if precision == "fp32" else 2
    # Keys and values. A sliding layer remembers its window only.
    per_layer = 2 * checkpoint.kv_heads * checkpoint.head_dim * element
    full = (checkpoint.layers - checkpoint.sliding_layers) * context
    sliding = checkpoint.sliding_layers * min(checkpoint.window, context)
    tokens = min(context * concurrency, _PREFILL_TOKENS)
    return Need(
        precision,
        weight_bytes(checkpoint, precision),
        per_layer * (full + sliding) * concurrency,
        tokens * checkpoint.hidden * element * _VECTORS_PER_TOKEN + concurrency * checkpoint.vocabulary * 4,
    )


def weight_bytes(checkpoint: Checkpoint, precision: str) -> int:
    """Bytes of the weights at a precision: as stored where they are stored so, else counted."""
    if checkpoint.precision == precision and checkpoint.stored_bytes:
        return checkpoint.stored_bytes
    if precision in PLAIN:
        return int(checkpoint.weights * BYTES_PER_WEIGHT[precision])
    packed, plain = (checkpoint.experts, checkpoint.linear) if checkpoint.experts else (checkpoint.linear, 0)
    return int(packed * BYTES_PER_WEIGHT[precision] + (plain + checkpoint.kept) * 2)


def most_concurrent(checkpoint: Checkpoint, precision: str, context: int, free: int) -> int:
    """The most requests of ``context`` tokens at once that fit into ``free`` bytes; 0 when not even one does."""
    low, high = 0, 4096
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if need(checkpoint, precision, context, middle).total <= free else (low, middle - 1)
    return low


def table(checkpoint: Checkpoint, devices: Sequence[DeviceMemory], context: int, concurrency: int) -> str:
    """What the model takes at every precision it can have, and on which device that fits.

    The last columns say ``yes``, or how many requests at once would fit, or ``no``.
    """
    lines = [
        f"{checkpoint.name}: {checkpoint.weights / 1e9:.1f} billion weights, stored as {checkpoint.precision}; "
        f"{concurrency} requests of {context:,} tokens",
        *(f"  {_short(device)}: {_gb(device.free)} of {_gb(device.total)} free" for device in devices),
        "",
    ]
    heads = ["precision", "weights", "KV cache", "activations", "with a tenth", *(_short(device) for device in devices)]
    rows = [heads]
    for precision in choices(checkpoint):
        one = need(checkpoint, precision, context, concurrency)
        sizes = [_gb(one.weights), _gb(one.kv_cache), _gb(one.activations), _gb(one.total)]
        rows.append([precision, *sizes, *(_fits(checkpoint, one, device, context) for device in devices)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    aligned = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([*lines, *aligned])


def require_memory(
    checkpoint: Checkpoint, precision: str, free: int, device: str, context: int, concurrency: int
) -> None:
    """Refuse to load what cannot fit.

    Args:
        checkpoint: What is to be loaded.
        precision: At which precision.
        free: Bytes that may be used.
        device: Named in the error.
        context: Tokens of prompt and answer together.
        concurrency: Requests at once.

    Raises:
        ResourceError: Too little is free; names what would fit.
    """
    found = need(checkpoint, precision, context, concurrency)
    if found.total <= free:
        return
    progress.note(table(checkpoint, [DeviceMemory(device, free, free)], context, concurrency))
    raise ResourceError(
        f"{checkpoint.name} as {precision} takes {_gb(found.total)} for {concurrency} requests of {context:,} tokens; "
        f"{_gb(free)} are free",
        where=device,
        fix=_alternatives(checkpoint, precision, free, context, concurrency),
    )


def _alternatives(checkpoint: Checkpoint, precision: str, free: int, context: int, concurrency: int) -> str:
    fewer = most_concurrent(checkpoint, precision, context, free)
    found = [f"{fewer} requests at once"] if fewer else []
    for other in choices(checkpoint):
        total = need(checkpoint, other, context, concurrency).total
        if total <= free:
            found.append(f"{other} ({_gb(total)})")
    if found:
        return f"What fits: {', '.join(found)}."
    return "Nothing fits there: shorten the context, give cpu_offload=True, or take a smaller model or a larger device."


def _fits(checkpoint: Checkpoint, one: Need, device: DeviceMemory, context: int) -> str:
    if one.total <= device.free:
        return "yes"
    fewer = most_concurrent(checkpoint, one.precision, context, device.free)
    return f"{fewer} at once" if fewer else "no"


def _short(device: DeviceMemory) -> str:
    return device.device.partition(" ")[0] if device.device.startswith("cuda") else device.device


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"


class MemoryWatch:
    """The most memory a device held while it worked: allocated by torch on a GPU, resident on a CPU.

    Args:
        device: A torch device.
    """

    def __init__(self, device: object) -> None:
        import torch

        self.device = torch.device(str(device))
        self.peak = 0
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    def look(self) -> int:
        """Memory now (on a GPU: the most since the start), in bytes."""
        import psutil
        import torch

        on_gpu = self.device.type == "cuda"
        used = torch.cuda.max_memory_allocated(self.device) if on_gpu else psutil.Process().memory_info().rss
        self.peak = max(self.peak, int(used))
        return int(used)

    def report(self) -> None:
        """Put the peak into the events file."""
        progress.emit("memory", device=str(self.device), peak_gb=round(self.peak / 1e9, 3))
