"""Rows of a table: CSV, TSV or Parquet, of any size."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from kosparse.corpus.lines import (
    EXPANSION_GRACE,
    MAX_EXPANSION,
    MAX_LINE_BYTES,
    expands,
    read_lines,
    reject,
    unreadable,
)
from kosparse.corpus.locations import Location
from kosparse.errors import InputError
from kosparse.records import Reject

Rows = Iterator[tuple[str, dict[str, Any] | Reject]]
"""``(file:line, cells by column)``, or why there are none."""

MAX_ROW_GROUP_BYTES = 4 * 1024**3
"""Of the unpacked columns: a row group is read as one; writers make them of 128 MB to 1 GB."""
_SEPARATORS = (",", "\t", ";", "|")
_BATCH = 512
_CLOSED = re.compile(r'(?:[^"]|"")*+"')
"""The rest of a quoted cell, two quotes standing for one."""


def read_csv(file: Location, encodings: Counter[str] | None = None) -> Rows:
    """Rows below a heading; a quoted cell may run over several lines; blank ones are left out.

    The separator is the one most frequent in the heading. Reasons: ``wrong_columns`` and those of ``read_cells``.

    Raises:
        InputError: Two columns are called alike, or as for ``read_lines``.
    """
    heading: list[str] | None = None
    for where, line, cells in read_cells(file, encodings):
        if isinstance(cells, Reject):
            yield where, cells
        elif heading is None:
            heading = _heading(cells, where)
        elif len(cells) != len(heading):
            detail = f"{len(cells)} cells, the heading has {len(heading)}"
            yield where, reject("wrong_columns", detail, where, line)
        else:
            yield where, dict(zip(heading, cells, strict=True))


def read_cells(
    file: Location, encodings: Counter[str] | None = None, separator: str = ""
) -> Iterator[tuple[str, str, list[str] | Reject]]:
    """Yield ``(file:line, that line, cells)`` of each row that is not blank, the heading too.

    Reasons: ``unclosed_quote`` (only the row it stands in is lost), ``not_csv``, and those of ``read_lines``.

    Args:
        file: CSV or TSV.
        encodings: Counts lines by encoding.
        separator: Empty takes the one most frequent in the first row.

    Raises:
        InputError: As for ``read_lines``.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = _Ahead(read_lines(file, encodings))
    while (first := lines.next()) is not None:
        number, line = first
        where = f"{file.name}:{number}"
        if isinstance(line, Reject):
            yield where, "", line
            continue
        separator = separator or max(_SEPARATORS, key=line.count)
        record = _record(line, lines, separator)
        if record is None:
            yield where, line, reject("unclosed_quote", "a quote is opened and never closed", where, line)
            continue
        try:
            yield where, line, next(csv.reader([record], delimiter=separator), [])
        except csv.Error as error:
            yield where, line, reject("not_csv", str(error), where, line)


def read_parquet(file: Location) -> Rows:
    """Rows of a Parquet file, ``_BATCH`` at a time; dates as ISO 8601, columns of lists or structures left out.

    Reasons: ``line_too_long``.

    Raises:
        InputError: It is cut off, damaged, a bomb or no Parquet.
    """
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        _refuse_bombs(parquet.read_metadata(file.path), file)
        plain = [field for field in parquet.read_schema(file.path) if not pyarrow.types.is_nested(field.type)]
        # A text that a dictionary holds once and a million rows repeat stays one text until its row is made.
        texts = [field.name for field in plain if field.type in (pyarrow.string(), pyarrow.binary())]
        with parquet.ParquetFile(file.path, read_dictionary=texts) as table:
            for batch in table.iter_batches(_BATCH, columns=[field.name for field in plain]):
                for place in range(batch.num_rows):
                    number += 1
                    where = f"{file.name}:row {number}"
                    yield where, _row(batch, place, where)
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        what = f"not a whole Parquet file: {str(error).splitlines()[0]}"
        raise InputError(what, where=file.name, fix="Copy it again, or write it anew.") from error
    except OSError as error:
        raise unreadable(file, error) from error


def _refuse_bombs(about: Any, file: Location) -> None:
    """Look at what the file says its row groups unpack to, before any is unpacked."""
    sizes = [about.row_group(number).total_byte_size for number in range(about.num_row_groups)]
    if sum(sizes) > max(EXPANSION_GRACE, MAX_EXPANSION * file.path.stat().st_size):
        raise expands(file)
    if max(sizes, default=0) > MAX_ROW_GROUP_BYTES:
        raise InputError(
            f"a row group unpacks to {max(sizes) / 1e9:.1f} GB, {MAX_ROW_GROUP_BYTES / 1e9:.1f} GB is the most",
            where=file.name,
            fix="Write it anew with smaller row groups: pyarrow.parquet.write_table(..., row_group_size=100000).",
        )


def _row(batch: Any, place: int, where: str) -> dict[str, Any] | Reject:
    row = {name: _plain(batch.column(name)[place].as_py()) for name in batch.schema.names}
    texts = [value for value in row.values() if isinstance(value, str | bytes)]
    if sum(map(len, texts)) <= MAX_LINE_BYTES:
        return row
    return reject("line_too_long", f"more than {MAX_LINE_BYTES:,} characters", where, max(texts, key=len))


class _Ahead:
    """Lines that can be given back."""

    def __init__(self, lines: Iterator[tuple[int, str | Reject]]) -> None:
        self._lines = lines
        self._returned: deque[tuple[int, str | Reject]] = deque()

    def next(self) -> tuple[int, str | Reject] | None:
        return self._returned.popleft() if self._returned else next(self._lines, None)

    def give_back(self, lines: list[tuple[int, str | Reject]]) -> None:
        self._returned.extendleft(reversed(lines))


def _record(line: str, lines: _Ahead, separator: str) -> str | None:
    """The whole record that begins with this line; None, and nothing more taken, when its quote is never closed."""
    opened = re.compile(rf'(?:^|{re.escape(separator)})"')
    whole = re.compile(rf'(?:^|{re.escape(separator)})"(?:[^"]|"")*+"')
    taken: list[tuple[int, str | Reject]] = []
    text, is_open = line, _opens(line, opened, whole)
    size = len(line)
    while is_open:
        following = lines.next()
        if following is not None:
            taken.append(following)
        if following is None or isinstance(following[1], Reject) or size > MAX_LINE_BYTES:
            lines.give_back(taken)
            return None
        more = following[1]
        size += len(more)
        closed = _CLOSED.match(more)
        if closed:
            rest = more[closed.end() :]
            if rest.strip("\r\n") and not rest.startswith(separator):
                lines.give_back(taken)
                return None
            is_open = _opens(rest, opened, whole) if rest.startswith(separator) else False
    return text + "".join(str(found) for _, found in taken)


def _opens(line: str, opened: re.Pattern[str], whole: re.Pattern[str]) -> bool:
    """Whether a quoted cell of this line goes on in the next."""
    return '"' in line and bool(opened.search(whole.sub("", line)))


def _heading(cells: list[str], where: str) -> list[str]:
    names = [name.strip() for name in cells]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"two columns are called {twice[0]!r}", where=where, fix="Rename one of them.")
    return names


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value
