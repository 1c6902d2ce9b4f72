"""How much memory there is, and how much a model would take, before any weight is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kosparse.errors import InputError

BYTES_PER_WEIGHT = {"fp32": 4.0, "fp16": 2.0, "bf16": 2.0, "int8": 1.05, "mxfp4": 0.55, "int4": 0.6}
"""Scales and zero points included for the quantized ones."""

_HEADROOM = 1.1
"""Activations and fragmentation."""


@dataclass(frozen=True)
class DeviceMemory:
    """Memory of one device, in bytes."""

    device: str
    total: int
    free: int


def check_gpu_memory() -> list[DeviceMemory]:
    """Total and free memory of every GPU, then of this machine as ``cpu``."""
    import psutil
    import torch

    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        found.append(DeviceMemory(f"cuda:{index} {torch.cuda.get_device_name(index)}", total, free))
    memory = psutil.virtual_memory()
    return [*found, DeviceMemory("cpu", memory.total, memory.available)]


def weight_count(folder: Path) -> int:
    """How many weights a checkpoint folder holds, from the headers of its safetensors files.

    Raises:
        InputError: There are no safetensors files, or one is malformed.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError("no safetensors files", where=str(folder), fix="Give a folder with a downloaded checkpoint.")
    return sum(_weights_of(file) for file in files)


def needed_bytes(weights: int, precision: str, kv_cache_bytes: int = 0) -> int:
    """Memory a model needs: weights at the precision, KV cache, and a tenth more."""
    return int((weights * BYTES_PER_WEIGHT[precision] + kv_cache_bytes) * _HEADROOM)


def _weights_of(file: Path) -> int:
    """Sum of tensor sizes in a safetensors header: 8 bytes little-endian length, then JSON."""
    try:
        with open(file, "rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    except (OSError, ValueError, MemoryError, OverflowError) as error:
        raise InputError(f"not a safetensors file: {error}", where=str(file), fix="Download it again.") from error
    count = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            size = 1
            for dimension in tensor["shape"]:
                size *= dimension
            count += size
    return count
