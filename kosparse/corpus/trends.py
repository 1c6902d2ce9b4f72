"""Terms on the rise: which words do recent documents use more than earlier ones?

For each term, the share of recent documents that hold it is compared with the share of earlier ones by
Fisher's exact test (one-sided). Counting documents rather than occurrences keeps one long document from
making a trend. The false discovery rate over all tested terms is held by Benjamini and Hochberg
(1995). Terms are chosen for testing by their total count, which the test conditions on, so the choice
does not bias it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from kosparse.config import DetectTrendsConfig
from kosparse.corpus.morphemes import nouns_of
from kosparse.records import Document

_WORD_START = "▁"
_WORD_INSIDE = "##"
_BATCH = 512


@dataclass(frozen=True)
class Rise:
    """One rising term and the evidence for it."""

    term: str
    recent: int
    """Recent documents that hold it."""
    earlier: int
    p_adjusted: float
    """Share of false discoveries among terms at least as clear as this one."""
    boost: float
    """1 to ``max_boost``."""


@dataclass(frozen=True)
class Trends:
    """The rising terms, clearest first, and a sentence on what was compared."""

    note: str
    rises: tuple[Rise, ...] = ()


def detect(documents: Iterable[Document], config: DetectTrendsConfig, today: date) -> Trends:
    """Find rising terms among dated documents.

    Recent are the ``recent_days`` up to the newest date. Documents dated after ``today`` are left out
    and counted in the note; where there is nothing to compare, the note says why.
    """
    dated, total = _dated(documents)
    future = sum(day > today for day, _ in dated)
    dated = [(day, text) for day, text in dated if day <= today]
    aside = f" {future:,} documents are dated in the future and were left out." if future else ""
    if not dated:
        reason = "all dates lie in the future" if future else "no document has a date"
        return Trends(f"No rising terms: {reason} ({total:,} documents).")
    newest = max(day for day, _ in dated)
    start = newest - timedelta(days=config.recent_days - 1)
    recent = [text for day, text in dated if day >= start]
    earlier = [text for day, text in dated if day < start]
    if not earlier:
        return Trends(
            f"No rising terms: all {len(dated):,} dated documents fall between {min(day for day, _ in dated)} and "
            f"{newest}, within {config.recent_days} days, so there is nothing to compare them with.{aside}"
        )
    rises = rising(_frequencies(recent), _frequencies(earlier), len(recent), len(earlier), config)
    return Trends(
        f"{len(rises):,} rising terms: {len(recent):,} documents from {start} to {newest} against {len(earlier):,} "
        f"earlier ones; {total - len(dated) - future:,} without a date.{aside}",
        tuple(rises),
    )


def rising(
    recent: Counter[str], earlier: Counter[str], recent_total: int, earlier_total: int, config: DetectTrendsConfig
) -> list[Rise]:
    """Test every term.

    Args:
        recent: Recent documents by term.
        earlier: Earlier documents by term.
        recent_total: Number of recent documents, >= 1.
        earlier_total: Number of earlier documents, >= 1.
        config: Thresholds.

    Returns:
        Terms with an adjusted p-value of at most ``false_discovery_rate`` and at least ``min_count`` recent
        documents, clearest first.
    """
    from scipy.stats import false_discovery_control, hypergeom

    terms = sorted(term for term in recent.keys() | earlier.keys() if recent[term] + earlier[term] >= config.min_count)
    if not terms:
        return []
    new = np.array([recent[term] for term in terms])
    both = new + np.array([earlier[term] for term in terms])
    p_values = hypergeom.sf(new - 1, recent_total + earlier_total, both, recent_total).clip(0.0, 1.0)
    adjusted = false_discovery_control(p_values, method="bh")
    order = sorted(range(len(terms)), key=lambda number: (p_values[number], -new[number], terms[number]))
    return [
        Rise(
            terms[number],
            int(new[number]),
            int(both[number] - new[number]),
            float(adjusted[number]),
            boost(int(new[number]), int(both[number] - new[number]), recent_total, earlier_total, config.max_boost),
        )
        for number in order
        if adjusted[number] <= config.false_discovery_rate and new[number] >= config.min_count
    ]


def boost(recent: int, earlier: int, recent_total: int, earlier_total: int, max_boost: float) -> float:
    """1 + (max_boost - 1) (1 - 1 / r) for the smoothed ratio r of the two rates; 1 where r <= 1.

    Half a document is added to each count, so a term that is new has a finite ratio.

    >>> boost(10, 10, 50, 50, 2.0), round(boost(40, 10, 50, 50, 2.0), 3)
    (1.0, 1.741)
    """
    ratio = ((recent + 0.5) / (recent_total + 1)) / ((earlier + 0.5) / (earlier_total + 1))
    return 1.0 + (max_boost - 1.0) * max(0.0, 1.0 - 1.0 / ratio)


def by_token(rises: Sequence[Rise], vocabulary: Iterable[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Say the rises in tokens of a vocabulary, ignoring case.

    A term is matched to the tokens that begin a word (``▁셀``, or ``셀`` where that is how words begin), else
    to the token inside words (SentencePiece's ``셀``). One that is several tokens cannot be weighed
    as one.

    Returns:
        Boost by token, and boost by term for those that no single token stands for.
    """
    starts, bare = defaultdict(list), defaultdict(list)
    for token in vocabulary:
        if token.startswith(_WORD_START):
            starts[token[len(_WORD_START) :].casefold()].append(token)
        elif not token.startswith(_WORD_INSIDE):
            bare[token.casefold()].append(token)
    tokens: dict[str, float] = {}
    unmatched: dict[str, float] = {}
    for rise in rises:
        found = starts.get(rise.term) or bare.get(rise.term)
        for token in found or ():
            tokens[token] = rise.boost
        if not found:
            unmatched[rise.term] = rise.boost
    return tokens, unmatched


def _dated(documents: Iterable[Document]) -> tuple[list[tuple[date, str]], int]:
    dated, total = [], 0
    for document in documents:
        total += 1
        if document.date:
            dated.append((datetime.fromisoformat(document.date).date(), document.searched))
    return dated, total


def _frequencies(texts: Sequence[str]) -> Counter[str]:
    """In how many texts each noun or foreign word occurs, case-folded."""
    frequencies: Counter[str] = Counter()
    for first in range(0, len(texts), _BATCH):
        for found in nouns_of(texts[first : first + _BATCH]):
            frequencies.update({noun.casefold() for noun in found})
    return frequencies
