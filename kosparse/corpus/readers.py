"""Find a collection and read it row by row, whatever it is written in.

A collection is a BEIR folder (``corpus.jsonl``, perhaps ``queries.jsonl``, ``qrels/*.tsv``, ``parallel.jsonl`` and
``parallel/``, see ``parallel_text``), one file, or a folder of files: ``.jsonl``, ``.csv``, ``.tsv`` and ``.parquet``
hold a document per row, ``.txt``, ``.md`` and ``.html`` one each. Any but Parquet may be gzip- or zstd-compressed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from kosparse.corpus import text_files
from kosparse.corpus.columns import KNOWN, choose
from kosparse.corpus.lines import STAGE, read_lines, reject, require, suffix_of, unreadable
from kosparse.corpus.locations import Location
from kosparse.corpus.tables import Rows, read_csv, read_parquet
from kosparse.errors import InputError
from kosparse.records import Reject

__all__ = ["STAGE", "Collection", "Location", "Reading", "locate", "read_columns", "read_corpus", "read_rows"]

TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
SUFFIXES = (*TABLES, *text_files.SUFFIXES)
"""What is taken from a folder."""

_SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
}
_ROWS_LOOKED_AT = 100
"""Of each table, before it is decided which column is what."""


@dataclass(frozen=True)
class Collection:
    """The files of a collection that exist."""

    corpus: Location
    """A file, or a folder of files."""
    queries: Location | None
    qrels: dict[str, Location]
    """By split (train, validation, test); "" for judgements that belong to no split yet."""
    parallel: Location | None
    catalogues: Location | None = None
    """The folder of parallel text in other formats."""


@dataclass
class Reading:
    """What turns out while a corpus is read."""

    files: Counter[str] = field(default_factory=Counter)
    """By format: the file's ending."""
    encodings: Counter[str] = field(default_factory=Counter)
    """Lines, or whole text files, by encoding; Parquet has none."""
    columns: dict[str, str] = field(default_factory=dict)
    """Field -> column of the first table."""
    made_ids: bool = False
    """The rows bring no id: it is made from the content."""


def locate(corpus: Location, queries: Location | None = None, qrels: Location | None = None) -> Collection:
    """Find the files of a collection; ``queries`` and ``qrels`` replace those of the folder.

    Raises:
        InputError: Something is missing, or is not what it should be.
    """
    if bool(queries) != bool(qrels):
        raise InputError(
            f"{'queries' if queries else 'judgements'} without {'judgements' if queries else 'queries'}",
            where=(queries or qrels or corpus).name,
            fix="Give both QUERIES and QRELS, or neither.",
        )
    try:
        return _locate(corpus, queries, qrels)
    except OSError as error:
        raise unreadable(corpus, error) from error


def read_corpus(corpus: Location, given: Mapping[str, str], reading: Reading) -> Rows:
    """Yield ``(file:line, row)`` of each document of a file or folder, its columns named as BEIR does.

    Args:
        corpus: From ``locate``.
        given: Field (``_id``, ``text``, ``title``, ``date``, ``url``, ``lang``) -> column; the rest is guessed.
        reading: Filled on the way.

    Raises:
        InputError: A file cannot be read, or none of its columns can be the text.
    """
    for file in _files(corpus):
        if isinstance(file, Reject):
            yield file.where, file
            continue
        kind = suffix_of(file.path)
        reading.files[kind or "other"] += 1
        if kind in text_files.SUFFIXES:
            yield file.name, text_files.read_text_file(file, _id_of(file, corpus), reading.encodings)
        else:
            yield from _named(_rows(file, kind, reading.encodings), given, reading, file)


def read_rows(file: Location, encodings: Counter[str] | None = None) -> Rows:
    """Yield ``(file:line, JSON object)`` for each line that is not blank; a Reject where there is none.

    Reasons: ``not_json`` and those of ``read_lines``.

    Raises:
        InputError: As for ``read_lines``; or the file is one JSON array.
    """
    for position, (number, line) in enumerate(read_lines(file, encodings)):
        where = f"{file.name}:{number}"
        if isinstance(line, str) and position == 0 and line.strip() == "[":
            fix = "Write one object per line: jq -c '.[]' in.json > out.jsonl."
            raise InputError("this is one JSON array, not JSON lines", where=file.name, fix=fix)
        yield where, line if isinstance(line, Reject) else _parse(line, where)


def read_columns(file: Location) -> Iterator[tuple[str, list[str]]]:
    """Yield ``(file:line, columns)`` of a table separated by tabs, or by blanks where there is no tab.

    Raises:
        InputError: As for ``read_lines``, and for any line that cannot be read.
    """
    for number, line in read_lines(file):
        if isinstance(line, Reject):
            raise InputError(f"{line.reason}: {line.detail}", where=line.where, fix="Mend the line.")
        yield f"{file.name}:{number}", line.strip().split("\t" if "\t" in line else None)


def _locate(corpus: Location, queries: Location | None, qrels: Location | None) -> Collection:
    require(corpus)
    if not corpus.path.is_dir():
        return Collection(corpus, queries, _qrels(qrels), None)
    beir = next((found for name in _beir_names() if (found := _optional(corpus / name))), None)
    if beir is None:
        _require_some(corpus)
        return Collection(corpus, queries, _qrels(qrels), None)
    found = queries or _optional(corpus / "queries.jsonl")
    judged = _qrels(qrels or _optional(corpus / "qrels"))
    aligned, folder = _optional(corpus / "parallel.jsonl"), corpus / "parallel"
    catalogues = folder if folder.path.is_dir() else None
    return Collection(beir, found if judged else None, judged, aligned, catalogues)


def _beir_names() -> Iterator[str]:
    for kind in TABLES:
        yield from (f"corpus{kind}{packed}" for packed in ("", ".gz", ".zst"))


def _require_some(folder: Location) -> None:
    if not any(True for _ in _files(folder)):
        held = sorted(path.name for path in islice(folder.path.iterdir(), 5))
        raise InputError(
            f"the folder holds no documents; it holds {', '.join(held) or 'nothing'}",
            where=folder.name,
            fix=f"Documents are in files that end in {', '.join(SUFFIXES)}.",
        )


def _optional(location: Location) -> Location | None:
    return location if location.path.exists() else None


def _qrels(location: Location | None) -> dict[str, Location]:
    """Judgements by split; files of other names are judgements of no split."""
    if location is None:
        return {}
    require(location)
    if not location.path.is_dir():
        return {"": location}
    files = [location / path.name for path in sorted(location.path.glob("*.tsv"))]
    named = {_SPLIT_NAMES[file.path.stem]: file for file in files if file.path.stem in _SPLIT_NAMES}
    if named or not files:
        return named
    if len(files) > 1:
        raise InputError(
            f"several files of judgements and none is called test.tsv: {', '.join(file.path.name for file in files)}",
            where=location.name,
            fix="Name them train.tsv, validation.tsv and test.tsv, or keep one: it is split by document.",
        )
    return {"": files[0]}


def _files(corpus: Location) -> Iterator[Location | Reject]:
    """The files of a corpus in the order of their names, folder by folder; hidden ones and other kinds left out."""
    if not corpus.path.is_dir():
        yield corpus
        return
    root = os.path.realpath(corpus.path)
    waiting = [corpus]
    while waiting:
        folder = waiting.pop()
        try:
            names = sorted(entry.name for entry in os.scandir(folder.path) if not entry.name.startswith("."))
        except OSError as error:
            yield reject("unreadable", str(error), folder.name, "")
            continue
        inner = []
        for child in (folder / name for name in names):
            is_folder = child.path.is_dir()
            if not is_folder and suffix_of(child.path) not in SUFFIXES:
                continue
            if child.path.is_symlink() and not f"{os.path.realpath(child.path)}{os.sep}".startswith(root + os.sep):
                yield reject("link_out_of_folder", os.readlink(child.path), child.name, "")
            elif not is_folder:
                yield child
            elif not child.path.is_symlink():  # a link to a folder of this corpus would read it twice, or for ever
                inner.append(child)
        waiting.extend(reversed(inner))


def _rows(file: Location, kind: str, encodings: Counter[str]) -> Rows:
    if kind in (".csv", ".tsv"):
        return read_csv(file, encodings)
    return read_parquet(file) if kind == ".parquet" else read_rows(file, encodings)


def _named(rows: Rows, given: Mapping[str, str], reading: Reading, file: Location) -> Rows:
    """Rows with their columns named as BEIR does, after a look at the first ones."""
    good: list[dict[str, Any]] = []
    while not good:
        head = list(islice(rows, _ROWS_LOOKED_AT))
        if not head:
            return
        good = [row for _, row in head if isinstance(row, dict)]
        if not good:
            yield from head
    names = list(dict.fromkeys(name for row in good for name in row))
    columns = choose(names, given, good, file.name)
    reading.columns = reading.columns or columns
    for where, row in chain(head, rows):
        if isinstance(row, Reject):
            yield where, row
            continue
        # A column that the first rows lack may come later, under the name BEIR gives it.
        found = {field: row.get(columns.get(field, field)) for field in KNOWN}
        named = {field: value for field, value in found.items() if value is not None}
        if "_id" not in columns and "_id" not in named:
            reading.made_ids = True
            named["_id"] = _made_id(named)
        yield where, named


def _made_id(row: Mapping[str, Any]) -> str:
    """Of the content, so that the same document has the same id tomorrow."""
    return hashlib.sha256(f"{row.get('title')}\n{row.get('text')}".encode("utf-8", "replace")).hexdigest()[:16]


def _id_of(file: Location, corpus: Location) -> str:
    """The path below the corpus; white space as ``%20``, which tables of ids can hold."""
    path = Path(file.path.name) if file.path == corpus.path else file.path.relative_to(corpus.path)
    plain = path.as_posix()
    for ending in (".gz", ".zst"):
        plain = plain.removesuffix(ending)
    return re.sub(r"\s", "%20", plain)


def _parse(line: str, where: str) -> dict[str, Any] | Reject:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return reject("not_json", str(error), where, line)
    return row if isinstance(row, dict) else reject("not_json", f"a {type(row).__name__}, not an object", where, line)
