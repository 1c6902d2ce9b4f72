"""The fused head on a GPU, forward and back: beside plain PyTorch, torch.compile and sentence-transformers.

    python -m benchmarks.bench_fused_gpu

From drawn states to weights over the vocabulary and back to gradients of states and rows; every case in a process of
its own. Without a GPU it says so and ends with 2.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from benchmarks.report import finish
from benchmarks.splade_case import HIDDEN, Row, measured

WAYS = ("plain", "compiled", "sentence-transformers", "fused", "triton")
"""``fused`` is the search in blocks by PyTorch, ``triton`` the kernel (``KOSPARSE_TRITON=1``)."""
_VOCABULARIES = (32_000, 50_000, 105_000, 250_000)
_BATCH, _LENGTH, _STEPS, _CHUNK = 16, 256, 10, 64
"""``_CHUNK``: tokens that sentence-transformers pools at a time."""


def main() -> None:
    """Measure all ways at every vocabulary."""
    import torch

    if not torch.cuda.is_available():
        print(
            "There is no GPU here: nothing measured. Run this where torch.cuda.is_available() is true.", file=sys.stderr
        )
        raise SystemExit(2)
    cases = {count: [{"way": way, "vocabulary": count} for way in WAYS] for count in _VOCABULARIES}
    rows = measured("benchmarks.bench_fused_gpu", __doc__ or "", measure, cases, beside)
    finish(
        "fused_gpu",
        rows,
        command="python -m benchmarks.bench_fused_gpu",
        notes=[
            f"{torch.cuda.get_device_name()}; {_BATCH} documents of {_LENGTH} tokens, states of width {HIDDEN}, bf16",
            "milliseconds of the head alone, forward and back; peak_gb is beyond states and rows",
            f"sentence-transformers pools {_CHUNK} tokens at a time, of logits that are all there",
            "a way that runs out of memory has no figures",
        ],
        packages=["torch", "sentence-transformers"],
    )


def beside(rows: list[Row]) -> list[Row]:
    """Rows with how many times the time and memory of each plain PyTorch takes; none where either has no figure."""

    def times(row: Row, name: str) -> float | None:
        return round(rows[0][name] / row[name], 2) if rows[0][name] and row[name] else None

    return [{**row, "faster": times(row, "milliseconds"), "less_memory": times(row, "peak_gb")} for row in rows]


def measure(way: str, vocabulary: int) -> Row:
    """Take a few steps one way."""
    import torch

    os.environ["KOSPARSE_TRITON"] = str(int(way == "triton"))
    torch.manual_seed(13)
    states = torch.randn(_BATCH, _LENGTH, HIDDEN, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    rows = torch.randn(vocabulary, HIDDEN, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    mask = torch.ones(_BATCH, _LENGTH, device="cuda", dtype=torch.long)

    def step() -> None:
        states.grad = rows.grad = None
        head(way)(states, mask, rows).float().sum().backward()

    found: Row = {"vocabulary": vocabulary, "way": way, "milliseconds": None, "peak_gb": None}
    try:
        step()  # kernels are made
        torch.cuda.synchronize()
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()
        for _ in range(_STEPS):
            step()
        torch.cuda.synchronize()
    except torch.OutOfMemoryError:
        return found
    seconds = time.perf_counter() - started
    peak = (torch.cuda.max_memory_allocated() - held) / 1e9
    return {**found, "milliseconds": round(1000 * seconds / _STEPS, 2), "peak_gb": round(peak, 3)}


@cache
def head(way: str) -> Callable[[Any, Any, Any], Any]:
    """States [texts, tokens, width], mask [texts, tokens] and rows [terms, width] to weights [texts, terms]."""
    import torch
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    from kosparse.sparse.activation import Activation
    from kosparse.sparse.fused_head import max_logits

    pooling = SpladePooling("max", "log1p_relu", chunk_size=_CHUNK)

    def plain(states: Any, mask: Any, rows: Any) -> Any:
        logits = (states @ rows.T).masked_fill(mask[..., None] == 0, 0.0)
        return Activation()(logits.amax(1))

    def pooled(states: Any, mask: Any, rows: Any) -> Any:
        return pooling({"token_embeddings": states @ rows.T, "attention_mask": mask})["sentence_embedding"]

    def fused(states: Any, mask: Any, rows: Any) -> Any:
        return Activation()(max_logits(states, mask, rows))

    ways = {"plain": plain, "sentence-transformers": pooled, "fused": fused, "triton": fused}
    return torch.compile(plain) if way == "compiled" else ways[way]


if __name__ == "__main__":
    main()
