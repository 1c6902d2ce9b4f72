"""What is known about a pair before any language model is asked, as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kosparse.ports import Embedder
from kosparse.records import SynonymCandidate
from kosparse.synonyms import phrases
from kosparse.synonyms.neighbours import Floats, centred, hubness, nearest
from kosparse.synonyms.transliteration import spelling_similarity, transliteration_score

FEATURES = (
    "pattern",
    "aligned",
    "aligned_share",
    "dice",
    "together",
    "neighbour",
    "cosine",
    "csls",
    "ahead_in_english",
    "ahead_in_korean",
    "transliteration",
    "spelling",
    "initials",
    "length_gap",
    "all_capitals",
)
_COUNTS = frozenset({"pattern", "aligned", "together"})


def feature_matrix(
    candidates: Sequence[SynonymCandidate], embedder: Embedder | None, pool: Sequence[SynonymCandidate] = ()
) -> NDArray[np.float64]:
    """Features of each candidate, in the order of ``FEATURES``: shape [len(candidates), len(FEATURES)].

    Counts are ``log1p``; evidence a source did not give is 0. ``cosine``, ``csls`` and by how much a pair is ahead
    are computed here for every pair alike, against the terms of ``pool`` (and of the candidates themselves), so
    that mined and labelled pairs are on one scale; without an embedder they are 0. ``ahead_in_english`` is the
    pair's CSLS less that of the best other English term for its Korean one, ``ahead_in_korean`` the reverse: a
    sibling is near too, but the right term is nearer. ``length_gap`` is the difference between the number of Korean
    nouns and of English words.
    """
    if not candidates:
        return np.zeros((0, len(FEATURES)))
    nouns = phrases.noun_counts([c.ko for c in candidates])
    columns: dict[str, Sequence[float] | NDArray[np.floating[Any]]] = {
        **_similarities(candidates, embedder, [*pool, *candidates]),
        "transliteration": [transliteration_score(c.ko, c.en) for c in candidates],
        "spelling": [spelling_similarity(c.ko, c.en) for c in candidates],
        "length_gap": [abs(n - len(c.en.split())) for n, c in zip(nouns, candidates, strict=True)],
        "all_capitals": [float(c.en.isupper()) for c in candidates],
    }
    for name in FEATURES:
        columns.setdefault(name, _evidence(candidates, name))
    return np.column_stack([np.asarray(columns[name], dtype=float) for name in FEATURES])


def _evidence(candidates: Sequence[SynonymCandidate], name: str) -> NDArray[np.float64]:
    values = np.array([candidate.features.get(name, 0.0) for candidate in candidates])
    return np.log1p(values) if name in _COUNTS else values


def _similarities(
    candidates: Sequence[SynonymCandidate], embedder: Embedder | None, pool: Sequence[SynonymCandidate]
) -> dict[str, Floats]:
    """``cosine``, ``csls`` and the two of ``ahead`` of each pair, among the distinct terms of the pool."""
    if embedder is None:
        zeros = np.zeros(len(candidates), np.float32)
        return dict.fromkeys(("cosine", "csls", "ahead_in_english", "ahead_in_korean"), zeros)
    korean, english = sorted({c.ko for c in pool}), sorted({c.en for c in pool})
    left, right = centred(embedder.encode(korean, "query")), centred(embedder.encode(english, "query"))
    left_hubness, right_hubness = hubness(left, right), hubness(right, left)
    row = {term: i for i, term in enumerate(korean)}
    column = {term: i for i, term in enumerate(english)}
    i, j = [row[c.ko] for c in candidates], [column[c.en] for c in candidates]
    cosine = (left[i] * right[j]).sum(axis=1)
    csls = 2 * cosine - left_hubness[i] - right_hubness[j]
    return {
        "cosine": cosine,
        "csls": csls,
        "ahead_in_english": nearest(left, right, left_hubness, right_hubness).ahead(i, j, csls),
        "ahead_in_korean": nearest(right, left, right_hubness, left_hubness).ahead(j, i, csls),
    }
