"""Korean terms with several meanings: 배 is ship and pear. A query for one must not bring the other's pages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

from kosparse.ports import Embedder
from kosparse.records import SynonymEntry
from kosparse.synonyms.terms import is_acronym, korean_key

_SAME_MEANING = 0.88
"""Cosine (multilingual e5) from which two English words mean much the same: 13 pairs of partners of Korean
homographs all lie below (night and chestnut .83, apple and apology .876), of 17 pairs of synonyms one does. Short
Korean words spread wider (너비 and 폭 lie below), so English homographs are not told from synonyms this way."""


def mark_homographs(entries: Sequence[SynonymEntry], embedder: Embedder) -> list[SynonymEntry]:
    """The same entries; those of a Korean term whose English partners differ in meaning go one way, towards it.

    ``ship`` then still finds 배, while 배 finds neither ship nor pear. Curated entries stay as the curator wrote
    them, and so does what is one way already. Acronyms say nothing of a meaning.
    """
    partners: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if not is_acronym(entry.en):
            partners[korean_key(entry.ko)].add(entry.en)
    several = {term: sorted(found) for term, found in partners.items() if len(found) > 1}
    words = sorted({word for found in several.values() for word in found})
    if not words:
        return list(entries)
    vectors = dict(zip(words, embedder.encode(words, "query"), strict=True))
    homographs = {
        term
        for term, found in several.items()
        if any(float(vectors[a] @ vectors[b]) < _SAME_MEANING for a, b in combinations(found, 2))
    }
    return [
        entry.model_copy(update={"direction": "en_to_ko"})
        if korean_key(entry.ko) in homographs and entry.direction == "both" and not entry.curated
        else entry
        for entry in entries
    ]
