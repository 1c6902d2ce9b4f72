"""Fewer terms per text: what OpenSearch's ``sparse_encoding`` processor can drop, dropped before anything is stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from kosparse.errors import ConfigError


@dataclass(frozen=True)
class Pruning:
    """Which weights of a text are kept."""

    top_k: int = 0
    """At most so many terms, the heaviest; 0 keeps any number."""
    max_ratio: float = 0.0
    """Weights below this share of the text's largest are dropped."""

    def __post_init__(self) -> None:
        if self.top_k < 0 or not 0 <= self.max_ratio <= 1:
            raise ConfigError(
                f"cannot keep {self.top_k} terms at {self.max_ratio} of the largest weight",
                where="pruning",
                fix="Give top_k >= 0 and max_ratio in [0, 1]; 0 keeps all.",
            )

    def __call__(self, weights: csr_matrix) -> csr_matrix:
        """Same shape."""
        kept = prune(weights, self.max_ratio) if self.max_ratio else weights
        return keep_heaviest(kept, self.top_k) if self.top_k else kept


def prune(weights: csr_matrix, ratio: float) -> csr_matrix:
    """Drop each row's weights below ``ratio`` times its largest: same shape (``prune_type: max_ratio``)."""
    largest = np.asarray(weights.max(axis=1).todense()).ravel() if weights.nnz else np.zeros(weights.shape[0])
    return _kept(weights, weights.data >= ratio * largest[_rows(weights)])


def keep_heaviest(weights: csr_matrix, count: int) -> csr_matrix:
    """Keep each row's ``count`` heaviest weights, of equal ones the first: same shape (``prune_type: top_k``)."""
    rows = _rows(weights)
    order = np.lexsort((weights.indices, -weights.data, rows))
    place = np.empty(weights.nnz, dtype=np.int64)
    place[order] = np.arange(weights.nnz) - weights.indptr[rows[order]]
    return _kept(weights, place < count)


def _rows(weights: csr_matrix) -> np.ndarray:
    """The row of each stored weight."""
    return np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))


def _kept(weights: csr_matrix, wanted: np.ndarray) -> csr_matrix:
    starts = np.concatenate([[0], np.cumsum(wanted)])[weights.indptr]
    return csr_matrix((weights.data[wanted], weights.indices[wanted], starts), shape=weights.shape)
