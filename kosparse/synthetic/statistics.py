"""What a set of pairs looks like: how many of each kind, how long, how close to their passages, how varied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from kosparse.ports import Vectors
from kosparse.records import Pair
from kosparse.synthetic.scores import COPIED
from kosparse.synthetic.writer import evenly

_BINS = 10
_WAYS = ("copy_share", "stretch_share", "order_share")
"""To be a copy, from the strictest on."""


def describe(pairs: Sequence[Pair], token_lists: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Describe pairs as a JSON object.

    Args:
        pairs: With the scores of ``overlap`` and of copies where they are known.
        token_lists: Content morphemes of each pair's query.

    Returns:
        ``pairs``, ``passages``, counts ``by_origin`` and ``by_type``, ``characters`` (10th, 50th and 90th
        percentile), ``overlap`` (ten equal bins over [0, 1], the last one closed), ``copies`` (share of the pairs with
        over .8, by score), ``distinct_1``, ``distinct_2``, ``self_bleu``.
    """
    overlaps = [pair.scores["overlap"] for pair in pairs if "overlap" in pair.scores]
    return {
        "pairs": len(pairs),
        "passages": len({pair.passage_id for pair in pairs}),
        "by_origin": dict(Counter(pair.origin for pair in pairs)),
        "by_type": dict(Counter(pair.query_type for pair in pairs)),
        "characters": percentiles([len(pair.query) for pair in pairs]),
        "overlap": np.histogram(overlaps, bins=_BINS, range=(0.0, 1.0))[0].tolist(),
        "copies": {way: round(_copies(pairs, way), 4) for way in _WAYS},
        "distinct_1": round(distinct_n(token_lists, 1), 4),
        "distinct_2": round(distinct_n(token_lists, 2), 4),
        "self_bleu": round(self_bleu(token_lists), 4),
    }


def _copies(pairs: Sequence[Pair], way: str) -> float:
    return sum(pair.scores.get(way, 0.0) > COPIED for pair in pairs) / max(len(pairs), 1)


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
    grams = [gram for tokens in token_lists for gram in _grams(tokens, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def _grams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[begin : begin + n]) for begin in range(len(tokens) - n + 1)]


def self_bleu(token_lists: Sequence[Sequence[str]], *, longest: int = 2, sample: int = 500) -> float:
    """How far queries are made of pieces of the others (Zhu et al. 2018), in [0, 1]: 1 when all are alike.

    The geometric mean of the clipped precisions of 1-grams to ``longest``-grams of each query against all others,
    averaged over an even sample; without a brevity penalty, for among this many references one is always as short.

    >>> self_bleu([["셀", "보호"], ["셀", "보호"], ["표"]]) > self_bleu([["셀", "보호"], ["표", "병합"], ["표"]])
    True
    """
    texts = [tokens for tokens in evenly(list(token_lists), sample) if len(tokens) >= longest]
    if len(texts) < 2:
        return 0.0
    shares = np.ones(len(texts))
    for n in range(1, longest + 1):
        counted = [Counter(_grams(tokens, n)) for tokens in texts]
        shares *= [_found_elsewhere(row, counted) for row in range(len(texts))]
    return float((shares ** (1 / longest)).mean())


def _found_elsewhere(row: int, counted: Sequence[Counter[tuple[str, ...]]]) -> float:
    """Share of a text's n-grams, counted with multiplicity, that one of the other texts has as often."""
    own = counted[row]
    found = sum(
        min(count, max(other[gram] for place, other in enumerate(counted) if place != row))
        for gram, count in own.items()
    )
    return found / own.total()


def cluster_entropy(vectors: Vectors, *, clusters: int = 20, seed: int = 13) -> float:
    """How evenly queries lie over the meanings they have, in [0, 1]: entropy of k-means clusters over its maximum.

    Args:
        vectors: One per query, shape [queries, dimensions].
        clusters: At most; one per two queries where there are few.
        seed: Of k-means.
    """
    from sklearn.cluster import KMeans

    count = min(clusters, len(vectors) // 2)
    if count < 2:
        return 0.0
    labels = KMeans(count, n_init=1, random_state=seed).fit_predict(vectors)
    shares = np.bincount(labels, minlength=count) / len(labels)
    filled = shares[shares > 0]
    return float(-(filled * np.log(filled)).sum() / np.log(count))


def lengths(queries: Sequence[str], width: int = 10) -> list[tuple[str, int]]:
    """How many queries are how long: (``"10–19"``, count) in steps of ``width`` characters, from the shortest on.

    >>> lengths(["가" * 12, "가" * 25, "가" * 29])
    [('10–19', 1), ('20–29', 2)]
    """
    found = Counter(len(query) // width for query in queries)
    places = range(min(found), max(found) + 1) if found else range(0)
    return [(f"{place * width}–{place * width + width - 1}", found[place]) for place in places]
