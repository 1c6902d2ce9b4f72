"""Terms that are each other's nearest neighbours in a shared vector space.

Cosines of a multilingual encoder are compressed and some terms are near everything (hubs). CSLS
(Conneau et al., Word Translation Without Parallel Data, 2018, eq. 3) corrects for that:
``csls(x, y) = 2 cos(x, y) - r(x) - r(y)``, r being the mean cosine to the k nearest terms of the
other language. All products are computed in blocks of rows, so memory grows with one side only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kosparse.ports import Embedder, Vectors
from kosparse.records import SynonymCandidate
from kosparse.synonyms import phrases
from kosparse.synonyms.terms import korean_key, problem

_BLOCK_CELLS = 2**25
"""Cosines held at a time: 128 MB, and a few times that while they are ranked, however many terms there are."""
_NEIGHBOURS = 10
_COUNTED_CHARACTERS = 10_000_000
"""Terms are counted in so much text, drawn evenly from a larger collection: enough for what is frequent."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Nearest:
    """For each row of one side: its best partner on the other by CSLS."""

    index: NDArray[np.int64]
    csls: Floats
    margin: Floats
    """By how much it beats the second best; 0 or more."""

    def ahead(self, rows: Sequence[int], columns: Sequence[int], csls: Floats) -> Floats:
        """By how much the pairs ``(rows[n], columns[n])`` of these scores beat the row's best other partner."""
        beaten = self.margin[rows]
        return np.asarray(np.where(self.index[rows] == columns, beaten, csls - self.csls[rows]), dtype=np.float32)


def centred(vectors: Vectors) -> Vectors:
    """Vectors of one language without what all its terms share, of length 1 again: [n, dimensions].

    Centring each language apart brings translations closer (Artetxe et al., Learning Principled Bilingual Mappings,
    2016, sec. 2.2). Fewer than two vectors are returned as they are.
    """
    if len(vectors) < 2:
        return vectors
    moved = vectors - vectors.mean(axis=0)
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def hubness(left: Vectors, right: Vectors, k: int = _NEIGHBOURS) -> Floats:
    """Mean cosine of each left row to its ``k`` nearest right rows: shape [len(left)]."""
    k = min(k, len(right))
    means = [np.partition(block @ right.T, -k, axis=1)[:, -k:].mean(axis=1) for _, block in _blocks(left, right)]
    return np.concatenate(means) if means else np.zeros(0, np.float32)


def nearest(left: Vectors, right: Vectors, left_hubness: Floats, right_hubness: Floats) -> Nearest:
    """Best right row for each left row by CSLS. ``right`` must not be empty."""
    index, best, margin = [], [], []
    for start, block in _blocks(left, right):
        scores = block @ right.T
        scores *= 2
        scores -= left_hubness[start : start + len(block), None]
        scores -= right_hubness[None, :]
        top = scores.argmax(axis=1)
        first = scores[np.arange(len(block)), top]
        scores[np.arange(len(block)), top] = -np.inf
        second = scores.max(axis=1) if len(right) > 1 else first
        index.append(top)
        best.append(first)
        margin.append(first - second)
    return Nearest(np.concatenate(index), np.concatenate(best), np.concatenate(margin))


def mutual_neighbours(left: Vectors, right: Vectors) -> list[tuple[int, int, float, float]]:
    """Pairs that are nearest to each other under CSLS: ``(left, right, csls, smaller margin)``, best first."""
    if not len(left) or not len(right):
        return []
    left_hubness, right_hubness = hubness(left, right), hubness(right, left)
    forward = nearest(left, right, left_hubness, right_hubness)
    backward = nearest(right, left, right_hubness, left_hubness)
    pairs = [
        (i, int(j), float(forward.csls[i]), float(min(forward.margin[i], backward.margin[j])))
        for i, j in enumerate(forward.index)
        if backward.index[j] == i
    ]
    return sorted(pairs, key=lambda pair: -pair[2])


def mine_neighbours(
    korean: Sequence[tuple[str, int]], english: Sequence[tuple[str, int]], embedder: Embedder
) -> list[SynonymCandidate]:
    """Candidates from two lists of ``(term, count)``, with features ``cosine``, ``csls`` and ``margin``."""
    if not korean or not english:
        return []
    left = centred(embedder.encode([term for term, _ in korean], "query"))
    right = centred(embedder.encode([term for term, _ in english], "query"))
    return [
        SynonymCandidate(
            ko=korean[i][0],
            en=english[j][0],
            source="embedding",
            count=min(korean[i][1], english[j][1]),
            features={"neighbour": 1.0, "cosine": float(left[i] @ right[j]), "csls": csls, "margin": margin},
        )
        for i, j, csls, margin in mutual_neighbours(left, right)
    ]


def frequent_korean(texts: Sequence[str], most: int, min_count: int = 3) -> list[tuple[str, int]]:
    """The most frequent Korean noun terms with the number of texts that have them."""
    texts, counts = _spread(texts), Counter[str]()
    for text, runs in zip(texts, phrases.noun_runs(texts), strict=True):
        counts.update(term for term in phrases.korean_terms(runs, text, longest=2))
    spellings: dict[str, str] = {}
    merged: Counter[str] = Counter()
    for term, count in counts.most_common():
        merged[spellings.setdefault(korean_key(term), term)] += count
    good = ((term, count) for term, count in merged.most_common() if count >= min_count and not problem(term, "word"))
    return _first(good, most)


def frequent_english(texts: Sequence[str], most: int, min_count: int = 3) -> list[tuple[str, int]]:
    """The most frequent English content words and bigrams with the number of texts that have them."""
    counts = Counter(term for text in _spread(texts) for term in phrases.english_terms(text))
    ranked = sorted(counts.items(), key=lambda row: (-row[1], row[0]))  # a set's order differs from run to run
    good = ((term, count) for term, count in ranked if count >= min_count and not problem("단어", term))
    return _first(good, most)


def _spread(texts: Sequence[str]) -> Sequence[str]:
    """The texts, or every so-manieth of a larger collection."""
    return texts[:: max(1, -(-sum(map(len, texts)) // _COUNTED_CHARACTERS))]


def _first(terms: Iterable[tuple[str, int]], most: int) -> list[tuple[str, int]]:
    return [pair for pair, _ in zip(terms, range(most), strict=False)]


def _blocks(left: Vectors, right: Vectors) -> Iterable[tuple[int, Vectors]]:
    """Stretches of left rows with the position of their first, as long as their cosines to ``right`` may be."""
    rows = max(1, _BLOCK_CELLS // max(1, len(right)))
    return ((start, left[start : start + rows]) for start in range(0, len(left), rows))
