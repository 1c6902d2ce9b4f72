"""The teacher of distillation: an ensemble of BM25 and dense similarity, normalised per query.

Following the heterogeneous ensemble of Geng et al. 2024 (arXiv 2411.04403): each signal is brought to
[0, 1] for each query before they are added. BM25 is divided by its maximum, because its zero means
"no word shared"; cosine is min-max normalised, because its zero means nothing. Scores of a further
teacher may be mixed in where there are any (``given_scores.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kosparse.evaluation.bm25 import Bm25
from kosparse.ports import Vectors
from kosparse.progress import Bar
from kosparse.sparse.given_scores import GivenScores

_BATCH = 256


@dataclass(frozen=True)
class TeacherScores:
    """The best passages of each query."""

    passages: NDArray[np.int32]
    """Positions of passages, best first: shape [queries, depth]."""
    scores: NDArray[np.float32]
    """In [0, 1], descending: shape [queries, depth]."""


def teacher_scores(
    index: Bm25,
    tokens: Sequence[Sequence[str]],
    query_vectors: Vectors,
    passage_vectors: Vectors,
    *,
    bm25_weight: float,
    depth: int,
    given: GivenScores | None = None,
) -> TeacherScores:
    """Score every passage for every query and keep the best.

    Args:
        index: BM25 over the passages.
        tokens: The queries' tokens for it.
        query_vectors: Shape [queries, dimensions].
        passage_vectors: Shape [passages, dimensions], rows in the order of ``index``.
        bm25_weight: Share of BM25 in [0, 1].
        depth: Passages kept; at most all.
        given: Scores of a further teacher for the same queries and passages, mixed in before the best are kept.
    """
    depth = min(depth, len(passage_vectors))
    best = np.empty((len(tokens), depth), dtype=np.int32)
    kept = np.empty((len(tokens), depth), dtype=np.float32)
    bar = Bar("teacher", len(tokens), "queries")
    for start in range(0, len(tokens), _BATCH):
        rows = slice(start, min(start + _BATCH, len(tokens)))
        lexical = np.stack([index.scores(query) for query in tokens[rows]])
        scores = ensemble(lexical, query_vectors[rows] @ passage_vectors.T, bm25_weight)
        if given is not None:
            given.mix(scores, start)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
        best[rows] = order
        kept[rows] = np.take_along_axis(scores, order, axis=1)
        bar.advance(rows.stop - start)
    bar.close()
    return TeacherScores(best, kept)


def ensemble(lexical: NDArray[np.float32], dense: NDArray[np.float32], bm25_weight: float) -> NDArray[np.float32]:
    """Add the two signals, each brought to [0, 1] per query (row): shape [queries, passages].

    A query without any lexical match is scored by the dense signal alone.
    """
    top = lexical.max(axis=1, keepdims=True)
    low, high = dense.min(axis=1, keepdims=True), dense.max(axis=1, keepdims=True)
    cosine = (dense - low) / np.maximum(high - low, 1e-6)
    weight = np.where(top > 0, bm25_weight, 0.0)
    return (weight * lexical / np.maximum(top, 1e-6) + (1 - weight) * cosine).astype(np.float32)
