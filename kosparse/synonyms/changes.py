"""What a new dictionary changes about the one before."""

from __future__ import annotations

from collections.abc import Sequence

from kosparse.records import SynonymEntry
from kosparse.synonyms.terms import pair_key

COLUMNS = ("change", "ko", "en", "before", "after")
_NOTICED = 0.05
"""Smaller movements of a probability are not told."""

Change = tuple[str, str, str, str, str]


def changes(before: Sequence[SynonymEntry], after: Sequence[SynonymEntry]) -> list[Change]:
    """Rows ``(change, ko, en, before, after)``: ``removed`` first, then ``changed``, then ``added``; each sorted.

    An entry has changed when its relation, its direction, or its probability (by at least 0.05) has. Spelling
    variants of a pair are one pair.
    """
    old = {pair_key(entry.ko, entry.en): entry for entry in before}
    new = {pair_key(entry.ko, entry.en): entry for entry in after}
    removed = [("removed", old[key].ko, old[key].en, _words(old[key]), "") for key in old.keys() - new.keys()]
    added = [("added", new[key].ko, new[key].en, "", _words(new[key])) for key in new.keys() - old.keys()]
    changed = [
        ("changed", new[key].ko, new[key].en, _words(old[key]), _words(new[key]))
        for key in old.keys() & new.keys()
        if _differ(old[key], new[key])
    ]
    return [*sorted(removed), *sorted(changed), *sorted(added)]


def _differ(one: SynonymEntry, other: SynonymEntry) -> bool:
    moved = abs(one.p - other.p) >= _NOTICED
    return moved or (one.relation, one.direction) != (other.relation, other.direction)


def _words(entry: SynonymEntry) -> str:
    return f"{entry.relation} {entry.direction} {entry.p:.2f}"
