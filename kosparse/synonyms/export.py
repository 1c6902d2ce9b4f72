"""The dictionary as files a search engine loads.

Solr's synonym format (also OpenSearch's and Elasticsearch's): one rule per line, ``a, b`` for terms
that replace each other and ``a => a, b`` for one way only. Rules are pairs on purpose: two lines
``a, b`` and ``a, c`` never make b and c synonyms, one line ``a, b, c`` would. Use the file in the
*search* analyzer, with ``synonym_graph``.
"""

from __future__ import annotations

import csv
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from kosparse.jsonl import write_lines
from kosparse.records import SynonymEntry

HIGH = 0.95
_ONE_WAY = "hypernym"
_NOT_EXPORTED = frozenset({"related", "antonym", "wrong"})
_COLUMNS = ("ko", "en", "p", "relation", "sources", "count", "curated")


def write_synonyms(folder: Path, entries: Sequence[SynonymEntry]) -> None:
    """Write ``synonyms.txt``, ``synonyms_high.txt`` (p at least 0.95) and ``dictionary.tsv`` into a folder.

    Raises:
        ResourceError: The folder cannot be written.
    """
    write_lines(folder / "synonyms.txt", rules(entries))
    write_lines(folder / "synonyms_high.txt", rules(entry for entry in entries if entry.p >= HIGH))
    write_lines(folder / "dictionary.tsv", _tsv(entries))


def rules(entries: Iterable[SynonymEntry]) -> list[str]:
    """Solr rules, sorted, each once.

    Terms share a line with more than one partner only where everything was verified with everything:
    two or more Korean and two or more English terms, all of whose cross pairs are entries. A hypernym
    is one way: a query for the narrower Korean term finds the wider English one, not the reverse.
    """
    entries = [entry for entry in entries if entry.relation not in _NOT_EXPORTED]
    one_way = {f"{escape(e.ko)} => {escape(e.ko)}, {escape(e.en)}" for e in entries if e.relation == _ONE_WAY}
    both_ways = [(escape(e.ko), escape(e.en)) for e in entries if e.relation != _ONE_WAY]
    groups, pairs = _groups([pair for pair in both_ways if all(pair)])
    lines = {", ".join([*ko, *en]) for ko, en in groups} | {", ".join(pair) for pair in pairs}
    return sorted(lines) + sorted(one_way)


def escape(term: str) -> str:
    """A term as Solr reads it back: control characters out; comma, arrow, backslash, leading # escaped.

    >>> escape("a, b => c")
    'a\\\\, b \\\\=> c'
    """
    clean = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in term)
    clean = " ".join(clean.split()).replace("\\", "\\\\").replace(",", "\\,").replace("=>", "\\=>")
    return "\\" + clean if clean.startswith("#") else clean


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


class _Line:
    """A file for ``csv`` that keeps the one line written last."""

    text = ""

    def write(self, text: str) -> int:
        self.text = text
        return len(text)


def _tsv(entries: Iterable[SynonymEntry]) -> Iterable[str]:
    """Tab-separated lines with a header; tabs and line ends inside terms become spaces."""
    line = _Line()
    writer = csv.writer(line, dialect="excel-tab", lineterminator="")
    writer.writerow(_COLUMNS)
    yield line.text
    for e in entries:
        cells = [e.ko, e.en, f"{e.p:.4f}", e.relation, "+".join(e.sources), e.count, int(e.curated)]
        writer.writerow([" ".join(str(cell).split()) for cell in cells])
        yield line.text
