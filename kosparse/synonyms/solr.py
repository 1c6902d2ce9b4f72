"""Solr's synonym format, which OpenSearch and Elasticsearch read as well: rules out, and back in to check them.

One rule per line, ``a, b`` for terms that replace each other and ``a => a, b`` for one way only. Rules are pairs
on purpose: two lines ``a, b`` and ``a, c`` never make b and c synonyms, one line ``a, b, c`` would. Use them in
the *search* analyzer, with ``synonym_graph``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from kosparse.errors import InputError
from kosparse.records import SynonymEntry
from kosparse.synonyms.relations import NO_SYNONYMS
from kosparse.synonyms.terms import is_searchable

_LINE_BREAKING = frozenset({"Cc", "Zl", "Zp"})


def rules(entries: Iterable[SynonymEntry]) -> list[str]:
    """Solr rules, each once: those that go both ways, then those that go one way, each sorted.

    Terms share a line with more than one partner only where everything was verified with everything: two or
    more Korean and two or more English terms, all of whose cross pairs are entries. A query for the left side
    of a one-way rule also finds the right side, not the reverse.
    """
    entries = [entry for entry in entries if entry.relation not in NO_SYNONYMS]
    both_ways = [(escape(e.ko), escape(e.en)) for e in entries if e.direction == "both"]
    forth = [(escape(e.ko), escape(e.en)) for e in entries if e.direction == "ko_to_en"]
    back = [(escape(e.en), escape(e.ko)) for e in entries if e.direction == "en_to_ko"]
    groups, pairs = _groups(both_ways)
    lines = {", ".join([*ko, *en]) for ko, en in groups} | {", ".join(pair) for pair in pairs}
    return sorted(lines) + sorted({f"{left} => {left}, {right}" for left, right in forth + back})


def escape(term: str) -> str:
    """A term as Solr reads it back: control characters out; comma, arrow, backslash, leading # escaped.

    >>> escape("a, b => c")
    'a\\\\, b \\\\=> c'
    """
    clean = "".join(" " if unicodedata.category(c) in _LINE_BREAKING else c for c in term)
    clean = " ".join(clean.split()).replace("\\", "\\\\").replace(",", "\\,").replace("=>", "\\=>")
    return "\\" + clean if clean.startswith("#") else clean


def parse_rule(line: str) -> tuple[list[str], list[str]]:
    """The two sides of a rule as Solr's parser reads them; both are the same where there is no arrow.

    Raises:
        InputError: More than one arrow, or an empty side or term.
    """
    sides = [[_unescaped(term) for term in _split(side, ",")] for side in _split(line, "=>")]
    if len(sides) > 2 or any(not is_searchable(term) for side in sides for term in side):
        raise InputError(
            f"not a synonym rule: {line!r}",
            where="synonyms",
            fix="Terms need a letter or digit; commas and arrows inside terms are escaped by a backslash.",
        )
    return sides[0], sides[-1]


def lint(lines: Iterable[str], where: str = "synonyms") -> int:
    """Read rules as the search engine will, and count them.

    Raises:
        InputError: A line is no rule, or the same rule stands twice; names file and line.
    """
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        try:
            left, right = parse_rule(line)
        except InputError as error:
            raise InputError(str(error.what), where=f"{where}:{number}", fix=error.fix) from error
        key = repr((sorted(left), sorted(right)))
        if key in seen:
            raise InputError(
                f"the rule of line {seen[key]} again: {line!r}", where=f"{where}:{number}", fix="Remove one."
            )
        seen[key] = number
    return len(seen)


def _split(text: str, separator: str) -> Iterator[str]:
    """Cut at separators that no backslash precedes."""
    part = ""
    for piece in re.findall(rf"\\.|{separator}|.", text):
        if piece == separator:
            yield part.strip()
            part = ""
        else:
            part += piece
    yield part.strip()


def _unescaped(term: str) -> str:
    return re.sub(r"\\(.)", r"\1", term)


def _groups(
    pairs: Sequence[tuple[str, str]],
) -> tuple[list[tuple[tuple[str, ...], tuple[str, ...]]], list[tuple[str, str]]]:
    """Complete groups (every Korean term paired with every English one), and the pairs in none."""
    english_of: dict[str, set[str]] = defaultdict(set)
    for ko, en in pairs:
        english_of[ko].add(en)
    korean_of: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for ko, english in english_of.items():
        korean_of[tuple(sorted(english))].append(ko)
    complete = {en: tuple(sorted(ko)) for en, ko in korean_of.items() if len(en) > 1 and len(ko) > 1}
    grouped = {(ko, e) for en, korean in complete.items() for ko in korean for e in en}
    return [(ko, en) for en, ko in complete.items()], [pair for pair in pairs if pair not in grouped]
