"""Pairs written by people: the starter list that ships, the user's own TSV, labelled pairs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kosparse.errors import InputError
from kosparse.jsonl import read_lines
from kosparse.records import SynonymCandidate
from kosparse.synonyms.terms import is_searchable, pair_key, tidy

_HERE = Path(__file__).parent
STARTER = _HERE / "starter.tsv"
LABELLED = _HERE / "labelled.tsv"
DECISIONS = ("same", "one_way", "wrong")


@dataclass(frozen=True)
class LabelledPair:
    """A pair a person judged, to calibrate by."""

    ko: str
    en: str
    label: bool
    """May the two terms stand for each other in a search?"""
    kind: str
    """``true``, or how it is false: ``sibling``, ``hypernym``, ``antonym``, ``related``, ``mined``, ``random``."""
    evidence: dict[str, float] = field(default_factory=dict)
    """Mining features it came with, if any."""

    @property
    def candidate(self) -> SynonymCandidate:
        """The pair as mining would have proposed it."""
        return SynonymCandidate(ko=self.ko, en=self.en, source="labelled", features=self.evidence)


@dataclass(frozen=True)
class CuratedPair:
    """A pair a person decided on."""

    ko: str
    en: str
    decision: str = "same"
    """One of ``DECISIONS``."""

    @property
    def candidate(self) -> SynonymCandidate:
        """The pair as mining proposes it; what was decided is a feature."""
        features = {} if self.decision == "same" else {self.decision: 1.0}
        return SynonymCandidate(ko=self.ko, en=self.en, source="curated", features=features)


def read_curated(path: Path | str | None = None) -> list[CuratedPair]:
    """Read a TSV with the columns ``ko``, ``en`` and perhaps ``decision``.

    A header is optional, ``#`` starts a comment. A decision is ``same`` (also when it is left out), ``one_way`` (a
    query for the Korean term also finds the English one, not the reverse) or ``wrong`` (never in the dictionary).
    This is what the dictionary's page saves.

    Args:
        path: The user's file; None reads the starter list.

    Returns:
        The pairs in file order, repeated ones once, punctuation inside terms kept.

    Raises:
        InputError: Wrong columns, an empty term, an unknown decision, or a pair decided in two ways; names file
            and line.
    """
    pairs: dict[tuple[str, str], tuple[CuratedPair, str]] = {}
    for where, cells in _rows(path or STARTER):
        if cells[:2] == ["ko", "en"]:
            continue
        pair = _curated(cells, where)
        known, line = pairs.setdefault(pair_key(pair.ko, pair.en), (pair, where))
        if known.decision != pair.decision:
            raise InputError(
                f"{pair.ko!r} and {pair.en!r} are {known.decision!r} in {line} and {pair.decision!r} here",
                where=where,
                fix="Keep one of the lines.",
            )
    return [pair for pair, _ in pairs.values()]


def _curated(cells: Sequence[str], where: str) -> CuratedPair:
    if len(cells) not in (2, 3) or not all(cells[:2]):
        raise InputError(
            f"expected two columns, Korean and English, and perhaps a decision, got {len(cells)}: {cells!r}",
            where=where,
            fix="Separate the terms by one tab and leave neither empty.",
        )
    ko, en, decision = (*cells, "same")[:3]
    if (decision or "same") not in DECISIONS:
        raise InputError(f"no such decision: {decision!r}", where=where, fix=f"Write {', '.join(DECISIONS)}.")
    if not (is_searchable(ko) and is_searchable(en)):
        raise InputError(f"nothing to search in {cells!r}", where=where, fix="Terms need a letter or digit.")
    return CuratedPair(ko, en, decision or "same")


def read_labelled(path: Path | str | None = None) -> list[LabelledPair]:
    """Read labelled pairs: columns ``ko en label kind evidence`` with a header, the last two optional.

    ``label`` is 1 or 0; ``evidence`` holds mining features as ``name=value`` separated by spaces.

    Raises:
        InputError: Wrong columns or values, or a pair labelled both ways; names file and line.
    """
    pairs: dict[tuple[str, str], LabelledPair] = {}
    for where, cells in _rows(path or LABELLED):
        if cells[:3] == ["ko", "en", "label"]:
            continue
        pair = _labelled(cells, where)
        key = pair_key(pair.ko, pair.en)
        if key in pairs and pairs[key].label != pair.label:
            raise InputError(
                f"{pair.ko!r} and {pair.en!r} are labelled both 1 and 0", where=where, fix="Keep one of the lines."
            )
        pairs[key] = pair
    return list(pairs.values())


def draw_labelled(labelled: Sequence[LabelledPair], most: int, seed: int) -> list[int]:
    """Positions of at most ``most`` pairs: half true, a quarter hard false, a quarter random false, alternating."""
    order = list(range(len(labelled)))
    random.Random(seed).shuffle(order)
    true = [i for i in order if labelled[i].label]
    hard = [i for i in order if not labelled[i].label and labelled[i].kind != "random"]
    easy = [i for i in order if not labelled[i].label and labelled[i].kind == "random"]
    chosen: list[int] = []
    while len(chosen) < most and (true or hard or easy):
        for queue in (true, hard, true, easy):
            chosen += [queue.pop()] if queue else []
    return chosen[:most]


def _labelled(cells: Sequence[str], where: str) -> LabelledPair:
    ko, en, label, kind, evidence, *more = [*cells, "", "", ""][: max(5, len(cells))]
    try:
        features = {name: float(value) for name, value in (item.split("=") for item in evidence.split())}
    except ValueError:
        features, label = {}, "unreadable evidence"
    if more or not ko or not en or label not in {"0", "1"}:
        raise InputError(
            f"not a labelled pair: {list(cells)!r}",
            where=where,
            fix="Columns are ko, en, label (1 or 0), kind and evidence (name=value ...), separated by tabs.",
        )
    return LabelledPair(ko, en, label == "1", kind or ("true" if label == "1" else "false"), features)


def _rows(path: Path | str) -> Iterator[tuple[str, list[str]]]:
    """``(file:line, tidy cells)`` of each line that is not a comment."""
    for number, line in read_lines(path):
        line = line.lstrip("\ufeff").rstrip("\r\n")
        if line.startswith("#"):
            continue
        cells = line.split("\t")
        yield f"{path}:{number}", [tidy(cell) if i < 2 else cell.strip() for i, cell in enumerate(cells)]
