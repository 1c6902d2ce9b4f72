"""What a set of pairs looks like: how many of each kind, how long, how close to their passages, how varied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from kosparse.records import Pair

_BINS = 10


def describe(pairs: Sequence[Pair], token_lists: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Describe pairs as a JSON object.

    Args:
        pairs: With the score ``overlap`` where it is known.
        token_lists: Content morphemes of each pair's query.

    Returns:
        ``pairs``, ``passages``, counts ``by_origin`` and ``by_type``, ``characters`` (10th, 50th and 90th
        percentile), ``overlap`` (ten equal bins over [0, 1], the last one closed) and ``distinct_2``.
    """
    overlaps = [pair.scores["overlap"] for pair in pairs if "overlap" in pair.scores]
    return {
        "pairs": len(pairs),
        "passages": len({pair.passage_id for pair in pairs}),
        "by_origin": dict(Counter(pair.origin for pair in pairs)),
        "by_type": dict(Counter(pair.query_type for pair in pairs)),
        "characters": percentiles([len(pair.query) for pair in pairs]),
        "overlap": np.histogram(overlaps, bins=_BINS, range=(0.0, 1.0))[0].tolist(),
        "distinct_2": round(distinct_n(token_lists, 2), 4),
    }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """The 10th, 50th and 90th percentile; empty for no values."""
    if not values:
        return {}
    points = np.percentile(values, [10, 50, 90])
    return {f"p{point}": round(float(value), 1) for point, value in zip((10, 50, 90), points, strict=True)}


def distinct_n(token_lists: Sequence[Sequence[str]], n: int) -> float:
    """Distinct n-grams over all n-grams (Li et al. 2016), in [0, 1]; 0 when there are none.

    >>> distinct_n([["셀", "보호", "해제"], ["셀", "보호"]], 2)
    0.6666666666666666
    """
    grams = [tuple(tokens[begin : begin + n]) for tokens in token_lists for begin in range(len(tokens) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0
