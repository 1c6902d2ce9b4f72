"""The dictionary as files: what a search engine loads, what a person reads, and what changed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from kosparse.export.opensearch_json import analysis
from kosparse.jsonl import write_json, write_lines
from kosparse.records import SynonymEntry
from kosparse.synonyms import changes, phrases
from kosparse.synonyms.page import dictionary_page
from kosparse.synonyms.solr import lint, rules

HIGH = 0.95
COLUMNS = ("ko", "en", "p", "relation", "direction", "sources", "count", "curated")


def write_synonyms(
    folder: Path, entries: Sequence[SynonymEntry], previous: Sequence[SynonymEntry] | None = None
) -> None:
    """Write the dictionary's files into a folder.

    ``synonyms.txt`` (all rules) and the same by confidence: ``synonyms_high.txt`` (p at least 0.95) and
    ``synonyms_medium.txt`` (the rest); ``nori_user_dictionary.txt`` and ``analyzer.json``, which go with them;
    ``dictionary.tsv``; ``dictionary.html`` to browse and correct; ``changes.tsv`` where there is a previous version.

    Raises:
        ResourceError: The folder cannot be written.
        InputError: A term no rule can be made of.
    """
    high = [entry for entry in entries if entry.p >= HIGH]
    medium = [entry for entry in entries if entry.p < HIGH]
    for name, band in (("synonyms", entries), ("synonyms_high", high), ("synonyms_medium", medium)):
        lines = rules(band)
        lint(lines, f"{name}.txt")
        write_lines(folder / f"{name}.txt", lines)
    write_lines(folder / "nori_user_dictionary.txt", nori_words(entries))
    write_json(folder / "analyzer.json", {"analysis": analysis()})
    write_lines(folder / "dictionary.tsv", _table(COLUMNS, map(_cells, entries)))
    write_lines(folder / "dictionary.html", dictionary_page(entries).splitlines())
    if previous is not None:
        write_lines(folder / "changes.tsv", _table(changes.COLUMNS, changes.changes(previous, entries)))


def nori_words(entries: Iterable[SynonymEntry]) -> list[str]:
    """Compound words of the Korean terms, sorted: nori would cut them, and rules with them would not apply.

    To be the tokenizer's ``user_dictionary`` when indexing and when searching alike.
    """
    words = sorted({word for entry in entries for word in entry.ko.split() if word.isalnum()})
    return [word for word, nouns in zip(words, phrases.noun_counts(words), strict=True) if nouns > 1]


def _cells(entry: SynonymEntry) -> Sequence[object]:
    sources = "+".join(entry.sources)
    return (
        entry.ko,
        entry.en,
        f"{entry.p:.4f}",
        entry.relation,
        entry.direction,
        sources,
        entry.count,
        int(entry.curated),
    )


class _Line:
    """A file for ``csv`` that keeps the one line written last."""

    text = ""

    def write(self, text: str) -> int:
        self.text = text
        return len(text)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterable[str]:
    """Tab-separated lines with a header; tabs and line ends inside terms become spaces."""
    line = _Line()
    writer = csv.writer(line, dialect="excel-tab", lineterminator="")
    for row in [header, *rows]:
        writer.writerow([" ".join(str(cell).split()) for cell in row])
        yield line.text
