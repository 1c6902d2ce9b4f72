"""Pairs written by people: the starter list that ships, the user's own TSV, labelled pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kosparse.errors import InputError
from kosparse.jsonl import read_lines
from kosparse.records import SynonymCandidate
from kosparse.synonyms.terms import pair_key, tidy

_HERE = Path(__file__).parent
STARTER = _HERE / "starter.tsv"
LABELLED = _HERE / "labelled.tsv"


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


def read_curated(path: Path | str | None = None) -> list[tuple[str, str]]:
    """Read a TSV with the columns ``ko`` and ``en`` (a header is optional, ``#`` starts a comment).

    Args:
        path: The user's file; None reads the starter list.

    Returns:
        The pairs in file order, repeated ones once, punctuation inside terms kept.

    Raises:
        InputError: Wrong columns or an empty term; names file and line.
    """
    pairs: dict[tuple[str, str], tuple[str, str]] = {}
    for where, cells in _rows(path or STARTER):
        if cells == ["ko", "en"]:
            continue
        if len(cells) != 2 or not all(cells):
            raise InputError(
                f"expected two columns, Korean and English, got {len(cells)}: {cells!r}",
                where=where,
                fix="Separate the two terms by one tab and leave neither empty.",
            )
        ko, en = cells
        pairs.setdefault(pair_key(ko, en), (ko, en))
    return list(pairs.values())


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
