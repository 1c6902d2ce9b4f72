"""Queries that say the same in nearly the same words, over a whole set.

Surface hashes call "10행 삭제" and "20행 삭제" duplicates. Here two queries are compared when they share most of their
content morphemes and *all* numbers and names, and the embedding has the last word. Candidates come from prefix
filtering (Chaudhuri et al. 2006; Xiao et al. 2008): no pair above the Jaccard threshold is missed, and few others are
looked at, so a hundred thousand queries take seconds.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from kosparse.corpus.morphemes import proper_nouns_of
from kosparse.ports import Vectors
from kosparse.synthetic.scores import numbers

_LATIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9.+#_-]*")

Encode = Callable[[Sequence[str]], Vectors]
"""Texts to unit vectors, one row each."""


def near_duplicates(
    queries: Sequence[str], tokens: Sequence[Sequence[str]], *, min_jaccard: float, min_cosine: float, encode: Encode
) -> dict[int, int]:
    """Which queries repeat an earlier one.

    Args:
        queries: In order of preference: of two alike, the first stays.
        tokens: Content morphemes of each, as ``content_morphemes_of`` gives them.
        min_jaccard: Of the sets of morphemes, in (0, 1].
        min_cosine: Of the vectors, in [-1, 1].
        encode: Called once, with the queries that have a candidate.

    Returns:
        Position -> position of the earlier query it repeats, which is itself not a repetition.
    """
    sets = [frozenset(found) for found in tokens]
    names = [frozenset(found) for found in proper_nouns_of(queries)]
    candidates = [
        (row, earlier)
        for row, earlier in _candidates(sets, _guards(queries), min_jaccard)
        # The same word is a name to Kiwi here and a common noun there: it must be in both, not a name in both.
        if names[row] | names[earlier] <= sets[row] & sets[earlier]
    ]
    if not candidates:
        return {}
    asked = sorted({row for both in candidates for row in both})
    vectors = dict(zip(asked, encode([queries[row] for row in asked]), strict=True))
    found: dict[int, int] = {}
    for row, earlier in sorted(candidates):
        if row not in found and earlier not in found and float(np.dot(vectors[row], vectors[earlier])) >= min_cosine:
            found[row] = earlier
    return found


def _guards(queries: Sequence[str]) -> list[tuple[object, ...]]:
    """What two queries must have in common in any case: every number and every word in Latin script. Korean names
    are compared candidate by candidate."""
    return [
        (numbers(query), tuple(sorted(word.casefold() for word in _LATIN_WORD.findall(query)))) for query in queries
    ]


def _candidates(
    sets: Sequence[frozenset[str]], guards: Sequence[tuple[object, ...]], least: float
) -> Iterator[tuple[int, int]]:
    """(later, earlier) for all pairs of equal guards whose Jaccard similarity is at least ``least``.

    With the tokens in one order, rarest first, two such sets share one of their first ``n - ceil(least n) + 1``.
    """
    frequency = Counter(token for found in sets for token in found)
    shelves: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for row, found in enumerate(sets):
        ordered = sorted(found, key=lambda token: (frequency[token], token))
        prefix = ordered[: len(ordered) - math.ceil(least * len(ordered)) + 1]
        seen = {earlier for token in prefix for earlier in shelves[(token, guards[row])]}
        for earlier in seen:
            shared = len(found & sets[earlier])
            if shared >= least * (len(found) + len(sets[earlier]) - shared):
                yield row, earlier
        for token in prefix:
            shelves[(token, guards[row])].append(row)
