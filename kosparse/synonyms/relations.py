"""How two synonymous terms relate."""

from __future__ import annotations

from kosparse.records import Relation, SynonymCandidate
from kosparse.synonyms.terms import is_acronym
from kosparse.synonyms.transliteration import transliteration_score

NO_SYNONYMS: frozenset[Relation] = frozenset({"related", "antonym", "wrong"})
"""Terms that are not searched for each other."""
_TRANSLITERATION = 0.75
"""Least similarity of sound of a transliteration."""


def relation_of(candidate: SynonymCandidate) -> Relation:
    """How two synonymous terms relate, by what a curator decided or by their form."""
    if candidate.features.get("wrong"):
        return "wrong"
    if candidate.features.get("one_way"):
        return "hypernym"
    if is_acronym(candidate.en):
        return "abbreviation"
    if transliteration_score(candidate.ko, candidate.en) >= _TRANSLITERATION:
        return "transliteration"
    return "equivalent"
