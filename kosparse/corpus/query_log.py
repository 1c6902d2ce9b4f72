"""What people typed: a log of queries, one per line, or a CSV or TSV with counts.

Equal queries (but for case, spaces and punctuation) are one, their counts added up. Queries of the evaluation set are
left out: a passage written for one of them would teach the test.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Set
from typing import TextIO

from kosparse.corpus.readers import STAGE, Location
from kosparse.corpus.text import normalise, one_line, query_key
from kosparse.errors import InputError
from kosparse.records import LoggedQuery, Reject

_QUERY_NAMES = ("query", "text", "keyword", "q", "검색어", "질의", "키워드")
_COUNT_NAMES = ("count", "counts", "frequency", "freq", "hits", "n", "횟수", "빈도", "검색수", "건수")
_LONGEST = 200
"""In characters; a longer row is no query."""
_LONGEST_FIELD = 1 << 20
_SHOWN = 200


def read_query_log(file: Location, evaluated: Set[str] = frozenset()) -> tuple[list[LoggedQuery], list[Reject]]:
    """Read a query log.

    Args:
        file: ``.csv`` or ``.tsv``: with a heading that names the query and perhaps its count, or without one: the query
            first, then perhaps its count. Any other: one query per line.
        evaluated: Keys (``query_key``) of queries that must not be taken.

    Returns:
        Queries, the most frequent first, and the rows that cannot be used.

    Raises:
        InputError: The file is not there, is not UTF-8, has a heading without a query, or holds no query.
    """
    counts: dict[str, int] = {}
    texts: dict[str, str] = {}
    rejects: list[Reject] = []
    for number, text, count in _rows(file):
        text = one_line(normalise(text))
        key = query_key(text)
        reason = _unusable(text, key, count, evaluated)
        if reason:
            row = {"query": text[:_SHOWN], "count": count}
            rejects.append(Reject(stage=STAGE, reason=reason, where=f"{file.name}:{number}", row=row))
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


def _rows(file: Location) -> Iterator[tuple[int, str, str]]:
    """(line, query, count) of every row that is not empty."""
    try:
        with file.path.open(encoding="utf-8-sig", newline="") as stream:
            yield from _table(stream, file) if file.name.endswith((".csv", ".tsv")) else _lines(stream)
    except UnicodeDecodeError as error:
        raise InputError(
            f"the query log is not UTF-8: {error.reason} at byte {error.start}",
            where=file.name,
            fix="Convert it: iconv -f CP949 -t UTF-8.",
        ) from error
    except (OSError, csv.Error) as error:
        raise InputError(f"cannot read the query log: {error}", where=file.name, fix="Check QUERY_LOG=.") from error


def _lines(stream: TextIO) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(stream, 1):
        if line.strip():
            yield number, line, "1"


def _table(stream: TextIO, file: Location) -> Iterator[tuple[int, str, str]]:
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader(stream, delimiter="\t" if file.name.endswith(".tsv") else ",")
    query, count, first = 0, 1, True
    for row in rows:
        names = [name.strip().casefold() for name in row]
        if first and (heading := [name for name in names if name in _QUERY_NAMES + _COUNT_NAMES]):
            query, count, first = _columns(names, heading, file)
            continue
        first = False
        if any(names):
            yield rows.line_num, row[query] if query < len(row) else "", _count(row, count)


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
