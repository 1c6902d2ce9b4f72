"""Numbers a pair earns on the way. They stay on the row; thresholds are chosen later.

``overlap``           share of the query's content morphemes that its passage has, in [0, 1]
``copy_share``        longest run of them standing there in one piece, as a share of the query, in [0, 1]
``stretch_share``     most of them standing in the query's order within a stretch of the passage at most twice as long
                      as the query, all counted in content morphemes, as a share of the query, in [0, 1]
``order_share``       the same anywhere in the passage, whatever stands between them, in [0, 1]
``round_trip_rank``   place of the passage for its query under BM25, from 1; absent when it was not found
``dense_rank``        place of the passage for its query under the dense encoder, from 1; absent when not asked
``judge``             natural-log odds that the passage answers the query, by the judging model; absent
                      when it was not asked
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kosparse.ports import Embedder
from kosparse.records import Pair, Passage

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
COPIED = 0.8
"""Share of a query in its passage from which on it is called a copy."""
_STRETCH = 2
"""A copy may stretch over so many times the query's length."""
_BLOCK = 1024
"""Queries scored at a time."""


@dataclass
class Scored:
    """A pair on its way through the filters."""

    pair: Pair
    tokens: list[str]
    """Content morphemes of the query."""
    scores: dict[str, float] = field(default_factory=dict)
    place: int = -1
    """Number of its passage in the collection, from 0; -1 where it is not there."""

    def row(self) -> Pair:
        """The pair with the scores it has by now."""
        rounded = {name: round(value, 4) for name, value in self.scores.items()}
        return self.pair.model_copy(update={"scores": {**self.pair.scores, **rounded}})


def overlap(query: Sequence[str], passage: Sequence[str]) -> float:
    """Share of the query's distinct tokens that occur in the passage; 0 for an empty query.

    >>> overlap(["셀", "보호", "해제"], ["시트", "보호", "셀"])
    0.6666666666666666
    """
    wanted = set(query)
    return len(wanted & set(passage)) / len(wanted) if wanted else 0.0


def closeness(query: Sequence[str], passage: Sequence[str]) -> dict[str, float]:
    """``overlap``, ``copy_share``, ``stretch_share`` and ``order_share``, by name."""
    stretch, order = order_shares(query, passage)
    copied = {"copy_share": copy_share(query, passage), "stretch_share": stretch, "order_share": order}
    return {"overlap": overlap(query, passage), **copied}


def copy_share(query: Sequence[str], passage: Sequence[str]) -> float:
    """Length of the longest run of query tokens found unbroken in the passage, over the query's length.

    >>> copy_share(["셀", "보호", "방법"], ["시트", "셀", "보호", "설정"])
    0.6666666666666666
    """
    places: dict[str, list[int]] = {}
    for place, token in enumerate(query):
        places.setdefault(token, []).append(place)
    longest = 0
    runs: dict[int, int] = {}  # place in the query -> length of the run that ends there and at the passage's token
    for token in passage:
        runs = {place: runs.get(place - 1, 0) + 1 for place in places[token]} if token in places else {}
        longest = max(longest, *runs.values()) if runs else longest
    return longest / len(query) if query else 0.0


def order_shares(query: Sequence[str], passage: Sequence[str]) -> tuple[float, float]:
    """``stretch_share`` and ``order_share``: longest common subsequences over the length of the query.

    The second says what of a query stands in the passage in its order at all. In a long passage that is so of most
    words of any query about it, by accident; who copies a sentence and leaves some words out, or puts some in, stays
    within a stretch of the sentence's length: the first.

    >>> order_shares(["셀", "보호", "해제"], ["셀", "x", "보호", "x", "x", "x", "x", "해제"])
    (0.6666666666666666, 1.0)
    """
    if not query:
        return 0.0, 0.0
    masks: dict[str, int] = {}
    for place, token in enumerate(query):
        masks[token] = masks.get(token, 0) | 1 << place
    found = [(place, masks[token]) for place, token in enumerate(passage) if token in masks]
    size, window = len(query), _STRETCH * len(query)
    anywhere = _longest([mask for _, mask in found], size)
    nearby = 0
    for begin, (first, _) in enumerate(found):
        inside = [mask for place, mask in found[begin : begin + window] if place < first + window]
        if len(inside) > nearby:
            nearby = max(nearby, _longest(inside, size))
        if nearby == anywhere:
            break
    return nearby / size, anywhere / size


def _longest(masks: Sequence[int], size: int) -> int:
    """Length of the longest common subsequence, a token of the passage at a time (Hyyrö 2004, "Bit-parallel LCS-length
    computation revisited"); a mask has a bit for each place of the query that holds the token."""
    full = (1 << size) - 1
    rest = full
    for mask in masks:
        matched = rest & mask
        rest = (rest + matched | rest - matched) & full
    return size - rest.bit_count()


def dense_ranks(scored: Sequence[Scored], passages: Iterable[Passage], embedder: Embedder) -> list[int]:
    """Place of each pair's passage for its query among all passages, from 1; of equal scores the best place.

    Texts and vectors of the whole collection are in memory meanwhile.
    """
    vectors = embedder.encode([passage.text for passage in passages], "passage")
    ranks: list[int] = []
    for begin in range(0, len(scored), _BLOCK):
        block = scored[begin : begin + _BLOCK]
        scores = embedder.encode([one.pair.query for one in block], "query") @ vectors.T
        own = scores[range(len(block)), [one.place for one in block]]
        ranks += ((scores > own[:, None]).sum(axis=1) + 1).tolist()
    return ranks


def numbers(text: str) -> tuple[str, ...]:
    """The numbers in a text, sorted: queries that differ in one are different queries."""
    return tuple(sorted(_NUMBER.findall(text)))
