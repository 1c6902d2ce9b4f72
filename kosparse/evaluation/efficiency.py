"""What a sparse index costs: active dimensions, FLOPS, size."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel
from scipy.sparse import csr_matrix

_BYTES_PER_POSTING = 8
"""A passage id and a weight, 4 bytes each, uncompressed: comparable between systems, not Lucene's size."""


class Efficiency(BaseModel):
    """Cost of one system; what does not apply to it stays None."""

    active_dims_doc: float | None = None
    """Mean number of terms with a weight, per passage."""
    active_dims_query: float | None = None
    flops: float | None = None
    """Expected multiplications per query-passage pair: sum over terms of P(in query) P(in passage) (2004.14255)."""
    index_bytes: int | None = None
    encode_seconds: float | None = None
    """Documents into the index."""
    search_seconds: float | None = None
    """All evaluated queries, encoding them included."""
    queries_per_second: float | None = None
    max_weight: float | None = None
    """Largest weight of a passage: OpenSearch clips weights above 3 in ``sparse_vector`` fields by default."""


def sparse_efficiency(queries: csr_matrix, passages: csr_matrix) -> Efficiency:
    """Measure weights of shape [queries, terms] and [passages, terms]."""
    return Efficiency(
        active_dims_doc=_mean_active(passages),
        active_dims_query=_mean_active(queries),
        flops=float((_activation(queries) * _activation(passages)).sum()),
        index_bytes=int(passages.nnz) * _BYTES_PER_POSTING,
        max_weight=float(passages.data.max()) if passages.nnz else 0.0,
    )


def _mean_active(weights: csr_matrix) -> float:
    return float(weights.nnz / weights.shape[0]) if weights.shape[0] else 0.0


def _activation(weights: csr_matrix) -> np.ndarray:
    """Share of rows in which each term is active: shape [terms]."""
    return np.bincount(weights.indices, minlength=weights.shape[1]) / max(weights.shape[0], 1)
