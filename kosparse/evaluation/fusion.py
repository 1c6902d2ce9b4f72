"""Fusion of two systems: z-scores per query, added with a fixed weight."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kosparse.evaluation.ranking import Ranking, Run


def fuse(first: Run, second: Run, *, weight: float, depth: int) -> Run:
    """Rank by ``weight * z(first) + (1 - weight) * z(second)``.

    z is taken over the documents a system returned for the query. One that it did not return gets the
    system's lowest z: no better than the worst it returned.

    Args:
        first: Rankings of one system.
        second: Rankings of the other.
        weight: Share of ``first``, in [0, 1]. Fixed beforehand, never chosen on test queries.
        depth: Documents kept per query.
    """
    queries = list(dict.fromkeys([*first, *second]))
    return {query: _fuse_one(first.get(query, []), second.get(query, []), weight, depth) for query in queries}


def _fuse_one(first: Ranking, second: Ranking, weight: float, depth: int) -> Ranking:
    left, right = _z_scores(first), _z_scores(second)
    low_left, low_right = min(left.values(), default=0.0), min(right.values(), default=0.0)
    fused = [
        (document, weight * left.get(document, low_left) + (1 - weight) * right.get(document, low_right))
        for document in dict.fromkeys([*left, *right])
    ]
    fused.sort(key=lambda item: (-item[1], item[0]))
    return fused[:depth]


def _z_scores(ranking: Ranking) -> Mapping[str, float]:
    """Standardised scores; all 0 where the scores do not differ."""
    scores = np.array([score for _, score in ranking], dtype=np.float64)
    spread = float(scores.std()) if len(scores) else 0.0
    centred = scores - scores.mean() if len(scores) else scores
    standard = centred / spread if spread > 1e-12 else np.zeros_like(scores)
    return dict(zip((document for document, _ in ranking), standard.tolist(), strict=True))
