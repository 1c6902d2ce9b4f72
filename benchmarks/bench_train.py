"""A training step of a SPLADE model: plain sentence-transformers beside the fused head, seconds and memory.

    python -m benchmarks.bench_train

Same weights, same texts, in one run; every case in a process of its own. A step reads a batch of documents, ranks
them for drawn queries (InfoNCE with FLOPS), goes back and lets AdamW move every weight.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.report import finish
from benchmarks.splade_case import BACKBONE, Memory, Row, make_encoder, measured, texts

_CASES = ((32_000, 16), (50_000, 16), (105_000, 16), (250_000, 4))
"""Vocabulary and batch: with 250,000 terms and 16 documents the plain way would need more memory than there is."""
_LENGTH, _STEPS, _QUERY_TERMS = 256, 2, 8


def main() -> None:
    """Measure all cases, or one when it is named."""
    cases = {
        vocabulary: [{"head": head, "vocabulary": vocabulary, "batch": batch} for head in ("plain", "fused")]
        for vocabulary, batch in _CASES
    }
    rows = measured("benchmarks.bench_train", __doc__ or "", measure, cases, beside)
    finish(
        "train",
        rows,
        command="python -m benchmarks.bench_train",
        notes=[
            BACKBONE,
            f"{_LENGTH} tokens per document, no padding; every term of every document is active, the worst case for "
            "the fused head's way back",
            "peak_gb is beyond parameters, gradients and optimizer state",
            "seconds and cpu_seconds are means per step; faster compares cpu_seconds, which other processes move "
            "little",
            "250,000 terms with 4 documents: with 16 the plain head would need some 25 GB",
        ],
        packages=["torch", "transformers", "sentence-transformers"],
    )


def beside(rows: list[Row]) -> list[Row]:
    """Rows with how many times the memory and time of each the first one takes."""
    plain = rows[0]
    return [
        {
            **row,
            "less_memory": round(plain["peak_gb"] / row["peak_gb"], 1),
            "faster": round(plain["cpu_seconds"] / row["cpu_seconds"], 2),
        }
        for row in rows
    ]


def measure(head: str, vocabulary: int, batch: int) -> Row:
    """Take a few steps one way."""
    import torch

    from kosparse.sparse.fused_modules import fuse

    encoder = make_encoder(vocabulary, _LENGTH)
    if head == "fused":
        fuse(encoder)
    encoder.train()
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-5)
    features = encoder.preprocess(texts(batch, vocabulary, np.array([_LENGTH])))
    queries = torch.zeros(batch, vocabulary)
    asked = np.random.default_rng(13).integers(0, vocabulary, (batch, _QUERY_TERMS))
    queries.scatter_(1, torch.from_numpy(asked), 1.0)

    def step(rows: int, tokens: int) -> float:
        part = {name: value[:rows, :tokens] for name, value in features.items() if isinstance(value, torch.Tensor)}
        optimizer.zero_grad()
        weights = encoder(part)["sentence_embedding"]
        ranking = torch.nn.functional.cross_entropy(queries[:rows] @ weights.T, torch.arange(rows))
        loss = ranking + 1e-7 * weights.mean(0).square().sum()
        del part
        loss.backward()
        optimizer.step()
        return loss.item()

    step(2, 8)  # Gradients and optimizer state are there from now on.
    with Memory() as memory:
        started, cpu = time.perf_counter(), time.process_time()
        losses = [step(batch, _LENGTH) for _ in range(_STEPS)]
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {
        "vocabulary": vocabulary,
        "batch": batch,
        "head": head,
        "threads": torch.get_num_threads(),
        "seconds": round(seconds / _STEPS, 2),
        "cpu_seconds": round(cpu / _STEPS, 2),
        "peak_gb": round(memory.peak_gb, 3),
        "last_loss": round(losses[-1], 4),
    }


if __name__ == "__main__":
    main()
