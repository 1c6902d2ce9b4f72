"""Put a term's counterpart from the dictionary in its place: 셀 보호를 -> cell 보호를, sheet로 -> 시트로.

Terms are matched on Kiwi's morphemes, never inside a longer word, and the particle behind a replaced
term follows its new ending.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kosparse.corpus.morphemes import Morpheme, morphemes
from kosparse.records import SynonymEntry
from kosparse.synthetic.particles import follow

_INTERCHANGEABLE = {"equivalent", "transliteration", "abbreviation", "spelling"}
_WORD_PARTS = ("N", "XP", "XR", "XS", "SL", "SH", "SN")
"""Tags that make a longer word of a term they stand next to: 셀보호, 보호하다, 셀들."""
_LONGEST_TERM = 6
"""In morphemes."""


@dataclass(frozen=True)
class Match:
    """A term of the dictionary in a query: ``query[start:end]``, followed by ``particle``."""

    start: int
    end: int
    particle: str
    counterparts: tuple[tuple[float, str], ...]
    """(probability, term), best first."""


class Lexicon:
    """The dictionary, read from both sides where an entry goes both ways."""

    def __init__(self, entries: Iterable[SynonymEntry]) -> None:
        sides: dict[str, set[tuple[float, str]]] = defaultdict(set)
        for entry in entries:
            if entry.relation in _INTERCHANGEABLE and entry.direction != "en_to_ko":
                sides[_key(entry.ko)].add((entry.p, entry.en))
            if entry.relation in _INTERCHANGEABLE and entry.direction != "ko_to_en":
                sides[_key(entry.en)].add((entry.p, entry.ko))
        self._sides = {term: tuple(sorted(found, key=lambda one: (-one[0], one[1]))) for term, found in sides.items()}

    def variants(self, query: str, limit: int) -> list[str]:
        """At most ``limit`` versions of a query with one term replaced, the surest first."""
        replacements = [
            (-p, match.start, replace(query, match, term))
            for match in self.matches(query)
            for p, term in match.counterparts
        ]
        texts = dict.fromkeys(text for *_, text in sorted(replacements))
        return [text for text in texts if text.casefold() != query.casefold()][:limit]

    def matches(self, query: str) -> list[Match]:
        """The terms in a query, longest first, none overlapping; in order of position."""
        tokens = morphemes(query)
        found: list[Match] = []
        position = 0
        while position < len(tokens):
            match, used = self._match_at(query, tokens, position)
            if match:
                found.append(match)
            position += used
        return found

    def _match_at(self, query: str, tokens: Sequence[Morpheme], first: int) -> tuple[Match | None, int]:
        for last in range(min(first + _LONGEST_TERM, len(tokens)) - 1, first - 1, -1):
            start, end = tokens[first].start, tokens[last].end
            counterparts = self._sides.get(_key(query[start:end]))
            if counterparts and _stands_alone(tokens, first, last):
                return Match(start, end, _particle(query, tokens, last), counterparts), last - first + 1
        return None, 1


def replace(query: str, match: Match, term: str) -> str:
    """Put ``term`` in the match's place and mend the particle behind it."""
    rest = query[match.end + len(match.particle) :]
    return query[: match.start] + term + follow(term, match.particle) + rest


def _key(term: str) -> str:
    return " ".join(term.split()).casefold()


def _stands_alone(tokens: Sequence[Morpheme], first: int, last: int) -> bool:
    before = first > 0 and tokens[first - 1].end == tokens[first].start and _in_word(tokens[first - 1])
    after = last + 1 < len(tokens) and tokens[last + 1].start == tokens[last].end and _in_word(tokens[last + 1])
    return not before and not after


def _in_word(token: Morpheme) -> bool:
    return token.tag.startswith(_WORD_PARTS)


def _particle(query: str, tokens: Sequence[Morpheme], last: int) -> str:
    """The particle written right behind a match; "" when there is none."""
    if last + 1 == len(tokens):
        return ""
    following = tokens[last + 1]
    adjacent = following.start == tokens[last].end and following.tag.startswith("J")
    return query[following.start : following.end] if adjacent else ""
