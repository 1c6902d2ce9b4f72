"""Queries made from the passages' own words: no label, no language model, no real query.

Two kinds: short lines and sentences as they stand, and windows of one to four nouns of a line, which
read like what people type into a search box.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from kosparse.corpus.morphemes import nouns_of
from kosparse.corpus.text import hangul_syllables, one_line, query_key
from kosparse.records import Passage

_LINE_CHARACTERS = (5, 45)
_WINDOW_NOUNS = (1, 2, 3, 4)
_MIN_HANGUL = 2


@dataclass(frozen=True)
class PseudoQueries:
    """What was made."""

    rows: list[tuple[str, str]]
    """``(text, passage id)``, no two with the same letters."""
    contaminated: int
    """Left out because they equal an evaluation query."""


def pseudo_queries(passages: Sequence[Passage], count: int, banned: Set[str], seed: int) -> PseudoQueries:
    """Draw ``count`` pseudo-queries, spread evenly over the passages; fewer when the text holds no more.

    Args:
        passages: Where to draw from.
        count: How many, >= 0.
        banned: ``query_key`` of texts that must not be made: evaluation queries.
        seed: Of the draw.
    """
    if not count:
        return PseudoQueries([], 0)
    generator = random.Random(seed)
    passages = _spread(passages, count)
    lines = [_lines(passage.text) for passage in passages]
    nouns = iter(nouns_of([line for found in lines for line in found]))
    options = []
    for found in lines:
        windows = [window for _ in found for window in _windows(next(nouns))]
        options.append(_alternate(_shuffled(_short(found), generator), _shuffled(windows, generator)))
    return _draw(passages, options, count, banned)


def _spread(passages: Sequence[Passage], count: int) -> list[Passage]:
    """In an order of which the first ``count`` are spread evenly."""
    first = [row * len(passages) // count for row in range(count)] if count < len(passages) else range(len(passages))
    return [passages[row] for row in dict.fromkeys([*first, *range(len(passages))])]


def _draw(passages: Sequence[Passage], options: Sequence[Iterator[str]], count: int, banned: Set[str]) -> PseudoQueries:
    """Take one from each passage in turn until there are enough or nothing is left."""
    rows: list[tuple[str, str]] = []
    seen: set[str] = set()
    contaminated: set[str] = set()
    waiting = list(zip(passages, options, strict=True))
    while waiting and len(rows) < count:
        left = []
        for passage, texts in waiting:
            text = next((text for text in texts if _is_new(text, seen, banned, contaminated)), None)
            if text is not None:
                rows.append((text, passage.id))
                left.append((passage, texts))
        waiting = left
    return PseudoQueries(rows[:count], len(contaminated))


def _is_new(text: str, seen: set[str], banned: Set[str], contaminated: set[str]) -> bool:
    key = query_key(text)
    if key in banned:
        contaminated.add(key)
        return False
    if key in seen:
        return False
    seen.add(key)
    return True


def _lines(text: str) -> list[str]:
    return [one_line(line) for line in text.splitlines() if line.strip()]


def _short(lines: Sequence[str]) -> list[str]:
    low, high = _LINE_CHARACTERS
    return [line for line in lines if low <= len(line) <= high and hangul_syllables(line) >= _MIN_HANGUL]


def _windows(nouns: Sequence[str]) -> list[str]:
    windows = (" ".join(nouns[i : i + n]) for n in _WINDOW_NOUNS for i in range(len(nouns) - n + 1))
    return [window for window in windows if hangul_syllables(window) >= _MIN_HANGUL]


def _shuffled(texts: Sequence[str], generator: random.Random) -> list[str]:
    unique = list(dict.fromkeys(texts))
    generator.shuffle(unique)
    return unique


def _alternate(first: Sequence[str], second: Sequence[str]) -> Iterator[str]:
    """One of each in turn; when one side ends, the rest of the other."""
    for position in range(max(len(first), len(second))):
        yield from first[position : position + 1]
        yield from second[position : position + 1]
