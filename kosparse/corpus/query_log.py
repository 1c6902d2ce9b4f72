"""What people typed: a log of queries, one per line, or a CSV or TSV with counts; in any encoding of documents.

Equal queries (but for case, spaces and punctuation) are one, their counts added up. Queries of the evaluation set are
left out: a passage written for one of them would teach the test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set

from kosparse.corpus.encodings import mend
from kosparse.corpus.lines import STAGE, read_lines, suffix_of
from kosparse.corpus.locations import Location
from kosparse.corpus.tables import read_cells
from kosparse.corpus.text import normalise, one_line, query_key
from kosparse.errors import InputError
from kosparse.records import LoggedQuery, Reject

_QUERY_NAMES = ("query", "text", "keyword", "q", "검색어", "질의", "키워드")
_COUNT_NAMES = ("count", "counts", "frequency", "freq", "hits", "n", "횟수", "빈도", "검색수", "건수")
_LONGEST = 200
"""In characters; a longer row is no query."""
_SHOWN = 200
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
"""Not guessed: a log may have no heading to guess from, and queries may hold any sign."""


def read_query_log(
    file: Location, evaluated: Set[str] = frozenset(), encodings: Counter[str] | None = None
) -> tuple[list[LoggedQuery], list[Reject]]:
    """Read a query log.

    Args:
        file: ``.csv`` or ``.tsv``: with a heading that names the query and perhaps its count, or without one: the query
            first, then perhaps its count. Any other: one query per line. Encodings and packing as for ``read_lines``.
        evaluated: Keys (``query_key``) of queries that must not be taken.
        encodings: Counts lines by encoding.

    Returns:
        Queries, the most frequent first, and the rows that cannot be used.

    Raises:
        InputError: The file cannot be read (see ``read_lines``), has a heading without a query, or holds no query.
    """
    if not file.path.exists():
        raise InputError("there is no such query log", where=file.name, fix="Check QUERY_LOG=.")
    counts: dict[str, int] = {}
    texts: dict[str, str] = {}
    rejects: list[Reject] = []
    for where, row in _rows(file, encodings):
        if isinstance(row, Reject):
            rejects.append(row)
            continue
        text, count = one_line(normalise(mend(row[0]))), row[1]
        key = query_key(text)
        reason = _unusable(text, key, count, evaluated)
        if reason:
            shown = {"query": text[:_SHOWN], "count": count}
            rejects.append(Reject(stage=STAGE, reason=reason, where=where, row=shown))
            continue
        texts.setdefault(key, text)
        counts[key] = counts.get(key, 0) + int(count)
    if not counts:
        raise InputError("there is no query in the log", where=file.name, fix="Write one query per line.")
    ranked = sorted(counts, key=lambda key: (-counts[key], texts[key]))
    return [
        LoggedQuery(id=f"log/{place}", text=texts[key], count=counts[key]) for place, key in enumerate(ranked)
    ], rejects


def _unusable(text: str, key: str, count: str, evaluated: Set[str]) -> str:
    if not key:
        return "empty_query"
    if len(text) > _LONGEST:
        return "long_query"
    if not count.isdigit():
        return "bad_count"
    return "evaluation_query" if key in evaluated else ""


def _rows(file: Location, encodings: Counter[str] | None) -> Iterator[tuple[str, tuple[str, str] | Reject]]:
    """``(file:line, (query, count))`` of every row that is not empty, or why it cannot be read."""
    separator = _SEPARATORS.get(suffix_of(file.path))
    if separator:
        yield from _table(file, encodings, separator)
        return
    for number, line in read_lines(file, encodings):
        yield f"{file.name}:{number}", line if isinstance(line, Reject) else (line, "1")


def _table(
    file: Location, encodings: Counter[str] | None, separator: str
) -> Iterator[tuple[str, tuple[str, str] | Reject]]:
    query, count, first = 0, 1, True
    for where, _, row in read_cells(file, encodings, separator):
        if isinstance(row, Reject):
            yield where, row
            continue
        names = [name.strip().casefold() for name in row]
        if first and (heading := [name for name in names if name in _QUERY_NAMES + _COUNT_NAMES]):
            query, count, first = _columns(names, heading, file)
            continue
        first = False
        if any(names):
            yield where, (row[query] if query < len(row) else "", _count(row, count))


def _columns(names: list[str], known: list[str], file: Location) -> tuple[int, int, bool]:
    queries = [name for name in known if name in _QUERY_NAMES]
    if not queries:
        raise InputError(
            f"no column of the query log is a query: {', '.join(names)}",
            where=file.name,
            fix=f"Name one of them {' or '.join(_QUERY_NAMES[:3])}.",
        )
    counts = [name for name in known if name in _COUNT_NAMES]
    return names.index(queries[0]), names.index(counts[0]) if counts else len(names), False


def _count(row: list[str], column: int) -> str:
    return row[column].strip().replace(",", "") if column < len(row) else "1"
