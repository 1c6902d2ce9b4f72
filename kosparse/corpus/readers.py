"""Find and read a collection in BEIR's layout: a folder, or one ``.jsonl`` with or without queries.

A folder holds ``corpus.jsonl`` and may hold ``queries.jsonl``, ``qrels/*.tsv`` and ``parallel.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from kosparse.errors import InputError
from kosparse.records import Reject

STAGE = "ingest_corpus"
MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is no document; it is skipped without being held in memory."""

_SHOWN_CHARACTERS = 200
_SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
}
_USE = "Give CORPUS a BEIR folder (with corpus.jsonl) or a .jsonl file with `_id` and `text` on each line."


@dataclass(frozen=True)
class Location:
    """A file or folder on this machine, and the name its user knows it by."""

    path: Path
    name: str

    def __truediv__(self, child: str) -> Location:
        return Location(self.path / child, f"{self.name.rstrip('/')}/{child}")


@dataclass(frozen=True)
class Collection:
    """The files of a collection that exist."""

    corpus: Location
    queries: Location | None
    qrels: dict[str, Location]
    """By split (train, validation, test); "" for judgements that belong to no split yet."""
    parallel: Location | None


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
        raise _unreadable(corpus, error) from error


def _locate(corpus: Location, queries: Location | None, qrels: Location | None) -> Collection:
    _require(corpus)
    if not corpus.path.is_dir():
        return Collection(corpus, queries, _qrels(qrels), None)
    found = queries or _optional(corpus / "queries.jsonl")
    judged = _qrels(qrels or _optional(corpus / "qrels"))
    return Collection(_corpus_in(corpus), found if judged else None, judged, _optional(corpus / "parallel.jsonl"))


def read_rows(file: Location) -> Iterator[tuple[str, dict[str, Any] | Reject]]:
    """Yield ``(file:line, JSON object)`` for each non-blank line; a Reject where there is none.

    Reasons: ``line_too_long``, ``not_utf8``, ``not_json``.

    Raises:
        InputError: The file is missing, unreadable, compressed or UTF-16.
    """
    _require(file)
    try:
        with open(file.path, "rb") as stream:
            _refuse_other_formats(stream, file)
            for number, line in _lines(stream):
                if line.strip():
                    where = f"{file.name}:{number}"
                    yield where, _parse(line, where)
    except OSError as error:
        raise _unreadable(file, error) from error


def read_columns(file: Location) -> Iterator[tuple[str, list[str]]]:
    """Yield ``(file:line, columns)`` of a table separated by tabs, or by blanks where there is no tab.

    Raises:
        InputError: The file is missing, unreadable or not UTF-8.
    """
    _require(file)
    try:
        with open(file.path, encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield f"{file.name}:{number}", line.strip().split("\t" if "\t" in line else None)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error


def _require(location: Location) -> None:
    if not location.path.exists():
        raise InputError("there is no such file or folder", where=location.name, fix=_USE)


def _optional(location: Location) -> Location | None:
    return location if location.path.exists() else None


def _corpus_in(folder: Location) -> Location:
    corpus = folder / "corpus.jsonl"
    if not corpus.path.is_file():
        held = sorted(path.name for path in folder.path.iterdir())[:5]
        raise InputError(
            f"the folder has no corpus.jsonl; it holds {', '.join(held) or 'nothing'}", where=folder.name, fix=_USE
        )
    return corpus


def _qrels(location: Location | None) -> dict[str, Location]:
    """Judgements by split; files of other names are judgements of no split."""
    if location is None:
        return {}
    _require(location)
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


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines from 1; one longer than the limit comes cut, one byte over it."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        yield number, line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES + 1)


def _parse(line: bytes, where: str) -> dict[str, Any] | Reject:
    if len(line) > MAX_LINE_BYTES:
        return _reject("line_too_long", f"more than {MAX_LINE_BYTES:,} bytes", where, line)
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return _reject("not_utf8", str(error.reason), where, line)
    except (ValueError, RecursionError) as error:
        return _reject("not_json", str(error), where, line)
    if not isinstance(row, dict):
        return _reject("not_json", f"a {type(row).__name__}, not an object", where, line)
    return row


def _reject(reason: str, detail: str, where: str, line: bytes) -> Reject:
    shown = line[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace")[:_SHOWN_CHARACTERS]
    return Reject(stage=STAGE, reason=reason, detail=detail, where=where, row={"line": shown})


def _refuse_other_formats(stream: BinaryIO, file: Location) -> None:
    start = stream.read(4)
    stream.seek(0)
    formats = {b"\x1f\x8b": "gzip-compressed", b"PK": "a zip archive", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
    for magic, name in formats.items():
        if start.startswith(magic):
            raise InputError(f"the file is {name}", where=file.name, fix="Unpack or convert it to UTF-8 JSON lines.")


def _unreadable(file: Location, error: Exception) -> InputError:
    return InputError(
        f"cannot read: {error}", where=file.name, fix="Check the path, its permissions and that it is UTF-8."
    )
