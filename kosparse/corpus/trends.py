"""Terms on the rise: which words do recent documents use more than earlier ones?

A term is a noun, or a run of adjacent nouns, written with blanks between them. For each term, the share of recent
documents that hold it is compared with the share of earlier ones by Fisher's exact test (one-sided). Counting
documents rather than occurrences keeps one long document from making a trend. The false discovery rate over all
tested terms is held by Benjamini and Hochberg (1995). Terms are chosen for testing by their total count, which the
test conditions on, so the choice does not bias it.

The documents of a run of nouns are documents of its parts too, so one rise shows in several terms: it is told once, by
``without_repeats``. A query has a weight per noun, not per run: the boost of a run is divided among its nouns
(``shares``). With time a boost fades (``remaining``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from kosparse.config import DetectTrendsConfig
from kosparse.corpus.morphemes import noun_runs_of
from kosparse.records import Document

_WORD_START = "▁"
_WORD_INSIDE = "##"
_BATCH = 512
_BLANK = " "
"""Between the nouns of a run."""


@dataclass(frozen=True)
class Rise:
    """One rising term and the evidence for it."""

    term: str
    """Case-folded; a blank between the nouns of a run."""
    recent: int
    """Recent documents that hold it."""
    earlier: int
    p_adjusted: float
    """Share of false discoveries among terms at least as clear as this one."""
    boost: float
    """1 to ``max_boost``."""
    nouns: Mapping[str, float]
    """Boost of each noun of the term that is to have one: above 1, at most ``boost``."""

    def faded(self, left: float) -> Rise:
        """With this share, 0 to 1, of what its boosts have above 1."""
        nouns = {noun: 1.0 + (share - 1.0) * left for noun, share in self.nouns.items()}
        return replace(self, boost=1.0 + (self.boost - 1.0) * left, nouns=nouns)


@dataclass(frozen=True)
class Trends:
    """The rising terms, clearest first, and a sentence on what was compared."""

    note: str
    rises: tuple[Rise, ...] = ()


def detect(documents: Iterable[Document], config: DetectTrendsConfig, today: date) -> Trends:
    """Find rising terms among dated documents.

    Recent are the ``recent_days`` up to the newest date. Documents dated after ``today`` are left out
    and counted in the note; where there is nothing to compare, the note says why.

    Args:
        documents: Those without a date are counted only.
        config: Thresholds.
        today: The day the boosts are used: by then they have faded since the newest date.
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
    counts = [_frequencies(texts, config.ngram_max) for texts in (recent, earlier)]
    rises = rising(counts[0], counts[1], len(recent), len(earlier), config)
    days = (today - newest).days
    left = remaining(days, config.half_life_days)
    if rises and left < 1.0:
        aside = f" The newest document is {days:,} days old: {left:.0%} of each boost above 1 is left.{aside}"
    return Trends(
        f"{len(rises):,} rising terms: {len(recent):,} documents from {start} to {newest} against {len(earlier):,} "
        f"earlier ones; {total - len(dated) - future:,} without a date.{aside}",
        tuple(rise.faded(left) for rise in rises),
    )


def rising(
    recent: Counter[str], earlier: Counter[str], recent_total: int, earlier_total: int, config: DetectTrendsConfig
) -> list[Rise]:
    """Test every term.

    Args:
        recent: Recent documents by term, a blank between the nouns of a run.
        earlier: Earlier documents by term.
        recent_total: Number of recent documents, >= 1.
        earlier_total: Number of earlier documents, >= 1.
        config: Thresholds.

    Returns:
        Terms with an adjusted p-value of at most ``false_discovery_rate`` and at least ``min_count`` recent
        documents, clearest first, no rise twice.
    """
    from scipy.stats import false_discovery_control, hypergeom

    terms = sorted(term for term in recent.keys() | earlier.keys() if recent[term] + earlier[term] >= config.min_count)
    if not terms:
        return []
    new = np.array([recent[term] for term in terms])
    both = new + np.array([earlier[term] for term in terms])
    p_values = hypergeom.sf(new - 1, recent_total + earlier_total, both, recent_total).clip(0.0, 1.0)
    adjusted = false_discovery_control(p_values, method="bh")

    def boost_of(term: str) -> float:
        return boost(recent[term], earlier[term], recent_total, earlier_total, config.max_boost)

    def clearest(number: int) -> tuple[float, int, int, str]:
        return p_values[number], -new[number], -terms[number].count(_BLANK), terms[number]

    found = [
        Rise(
            terms[number],
            recent[terms[number]],
            earlier[terms[number]],
            float(adjusted[number]),
            boost_of(terms[number]),
            shares(terms[number], boost_of),
        )
        for number in sorted(range(len(terms)), key=clearest)
        if adjusted[number] <= config.false_discovery_rate and new[number] >= config.min_count
    ]
    return without_repeats(found)


def terms_of(runs: Iterable[Sequence[str]], ngram_max: int) -> set[str]:
    """The terms of one document: each stretch of at most ``ngram_max`` nouns of its runs, case-folded.

    >>> sorted(terms_of([["언어", "모델"], ["Calc"]], 2))
    ['calc', '모델', '언어', '언어 모델']
    """
    return {
        _BLANK.join(run[start : start + size]).casefold()
        for run in runs
        for size in range(1, min(ngram_max, len(run)) + 1)
        for start in range(len(run) - size + 1)
    }


def without_repeats(rises: Iterable[Rise]) -> list[Rise]:
    """Of a run of nouns and its parts, the one with the clearest rise: the others rise in documents it rises in.

    Args:
        rises: The smallest p-value first; of equal counts, which means the same documents, the longest run first.
            Two runs that overlap and do not hold one another both stay.
    """
    kept: list[Rise] = []
    told: set[str] = set()
    within_told: set[str] = set()
    for rise in rises:
        parts = terms_of([rise.term.split(_BLANK)], len(rise.term))
        if rise.term not in within_told and not parts & told:
            kept.append(rise)
            told.add(rise.term)
            within_told |= parts
    return kept


def shares(term: str, boost_of: Callable[[str], float]) -> dict[str, float]:
    """The boost of each noun of a term: an equal share of the term's, at most what the noun's own rise is worth.

    So a query that holds a whole run gains no more than one that holds a single noun with the same rise, and a noun
    that is as frequent as before is not weighed up for the company it keeps. Nouns without a boost are left out.

    >>> shares("언어 모델", {"언어 모델": 1.8, "언어": 1.0, "모델": 1.6}.__getitem__)
    {'모델': 1.4}
    """
    nouns = term.split(_BLANK)
    share = 1.0 + (boost_of(term) - 1.0) / len(nouns)
    found = {noun: min(share, boost_of(noun)) for noun in nouns}
    return {noun: value for noun, value in found.items() if value > 1.0}


def remaining(days: int, half_life_days: float) -> float:
    """Share of a boost above 1 that is left so many days after the newest document, 0 to 1; all with a half-life of 0.

    >>> remaining(45, 90), remaining(180, 90), remaining(180, 0)
    (0.7071067811865476, 0.25, 1.0)
    """
    return 0.5 ** (max(days, 0) / half_life_days) if half_life_days else 1.0


def shrunk(trends: Mapping[str, Any], half_life_days: float, today: date) -> float:
    """By how much the largest boost has shrunk since trends were written, had no newer document come.

    Args:
        trends: What ``detect_trends`` wrote; 0 for one without ``as_of``, of an older version.
        half_life_days: As for ``remaining``.
        today: The day it is asked.
    """
    if "as_of" not in trends:
        return 0.0
    days = (today - date.fromisoformat(trends["as_of"])).days
    return (max(trends["terms"].values(), default=1.0) - 1.0) * (1.0 - remaining(days, half_life_days))


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

    A noun is matched to the tokens that begin a word (``▁셀``, or ``셀`` where that is how words begin), else
    to the token inside words (SentencePiece's ``셀``). One that is several tokens cannot be weighed
    as one. A token that several terms boost gets the largest of their boosts.

    Returns:
        Boost by token, and boost by term for those that boost no token.
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
        found = {
            token: share for noun, share in rise.nouns.items() for token in starts.get(noun) or bare.get(noun) or ()
        }
        for token, share in found.items():
            tokens[token] = max(share, tokens.get(token, 1.0))
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


def _frequencies(texts: Sequence[str], ngram_max: int) -> Counter[str]:
    """In how many texts each term occurs."""
    frequencies: Counter[str] = Counter()
    for first in range(0, len(texts), _BATCH):
        for runs in noun_runs_of(texts[first : first + _BATCH]):
            frequencies.update(terms_of(runs, ngram_max))
    return frequencies
