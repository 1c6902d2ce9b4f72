"""Encoding a collection with a SPLADE model: plain sentence-transformers beside the fused head, documents per second.

    python -m benchmarks.bench_encode

Same weights, same documents, single precision, in one run; every case in a process of its own. ``plain`` is
``SparseEncoder.encode_document``; ``switched`` the same after ``fuse``; ``kosparse`` is
``SparseModel.encode_documents``, which also groups by length and keeps no dense vectors. The output's bias is set so
that documents are sparse.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.report import finish
from benchmarks.splade_case import BACKBONE, Memory, Row, make_encoder, measured, texts

_CASES = ((32_000, 96), (50_000, 64), (105_000, 48), (250_000, 24))
"""Vocabulary and documents: so few that the plain way takes a minute or two."""
_LENGTH, _BATCH, _QUANTILE = 256, 16, 0.998
_HEADS = ("plain", "switched", "kosparse")


def main() -> None:
    """Measure all cases, or one when it is named."""
    cases = {
        vocabulary: [{"head": head, "vocabulary": vocabulary, "documents": documents} for head in _HEADS]
        for vocabulary, documents in _CASES
    }
    rows = measured("benchmarks.bench_encode", __doc__ or "", measure, cases, beside)
    finish(
        "encode",
        rows,
        command="python -m benchmarks.bench_encode",
        notes=[
            BACKBONE,
            f"documents of 24 to {_LENGTH} tokens, 120 in the mean; plain and switched in batches of {_BATCH}",
            "faster compares documents per second of processor time, which other processes move little",
            "peak_gb is beyond the model; weights_sum shows that all three give the same vectors",
        ],
        packages=["torch", "transformers", "sentence-transformers"],
    )


def beside(rows: list[Row]) -> list[Row]:
    """Rows with how many times faster than the first each is."""
    plain = rows[0]["per_cpu_second"]
    return [{**row, "faster": round(row["per_cpu_second"] / plain, 2)} for row in rows]


def measure(head: str, vocabulary: int, documents: int) -> Row:
    """Encode the documents one way."""
    import torch

    from kosparse.sparse.fused_modules import fuse
    from kosparse.sparse.model import SparseModel

    encoder = make_encoder(vocabulary, _LENGTH)
    drawn = np.random.default_rng(13).gamma(2.0, 52.0, documents) + 16
    collection = texts(documents, vocabulary, np.clip(drawn, 24, _LENGTH).astype(int))
    _make_sparse(encoder, collection[:2])
    if head != "plain":
        fuse(encoder)

    def encode(part: list[str]) -> tuple[int, float]:
        if head == "kosparse":
            weights = SparseModel(encoder).encode_documents(part)
            return weights.nnz, float(weights.sum())
        found = encoder.encode_document(part, batch_size=_BATCH, save_to_cpu=True).coalesce()
        return len(found.values()), float(found.values().sum())

    encode(collection[:1])
    with Memory() as memory:
        started, cpu = time.perf_counter(), time.process_time()
        active, total = encode(collection)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {
        "vocabulary": vocabulary,
        "documents": documents,
        "head": head,
        "threads": torch.get_num_threads(),
        "active_dims": round(active / documents),
        "weights_sum": round(total, 1),
        "documents_per_second": round(documents / seconds, 3),
        "per_cpu_second": round(documents / cpu, 3),
        "peak_gb": round(memory.peak_gb, 3),
    }


def _make_sparse(encoder: Any, sample: list[str]) -> None:
    """Shift the output's bias so that all but few logits are below zero."""
    import torch

    network = encoder[0].model
    with torch.no_grad():
        logits = (
            network(
                **{
                    name: value
                    for name, value in encoder.preprocess(sample[:1]).items()
                    if isinstance(value, torch.Tensor)
                }
            )
            .logits[0]
            .amax(0)
        )
        threshold = torch.quantile(logits, _QUANTILE)
        network.cls.predictions.decoder.bias -= threshold


if __name__ == "__main__":
    main()
