"""Turn raw rows into documents, or into rejects that say why not."""

from __future__ import annotations

import hashlib
import heapq
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kosparse.config import IngestCorpusConfig
from kosparse.corpus.readers import STAGE, Location, read_rows
from kosparse.corpus.text import hangul_share, has_control_characters, normalise, one_line
from kosparse.errors import InputError
from kosparse.records import Document, Reject

_SHOWN_CHARACTERS = 200
_NEEDED = 3
"""Rejects shown in an error."""


class BadRowError(ValueError):
    """A row that cannot be used: a reason to count, and a detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(reason)


@dataclass
class Cleaned:
    """Reads documents from a file; counts and rejects fill up while it is iterated."""

    file: Location
    config: IngestCorpusConfig
    rejects: list[Reject] = field(default_factory=list)
    rows: int = 0
    bad_dates: int = 0

    def __iter__(self) -> Iterator[Document]:
        seen: dict[str, str] = {}
        for where, row in read_rows(self.file):
            self.rows += 1
            if isinstance(row, Reject):
                self.rejects.append(row)
                continue
            try:
                document = to_document(row, self.config)
                if document.id in seen:
                    raise BadRowError("duplicate_id", f"first seen at {seen[document.id]}")
            except BadRowError as bad:
                self.rejects.append(rejected(bad, where, row))
                continue
            seen[document.id] = where
            self.bad_dates += document.date is None and bool(row.get("date"))
            yield document

    def check(self, kept: int) -> None:
        """Stop the run when there is nothing to go on with, or too much is bad.

        Raises:
            InputError: Names the reasons, how often each, and the first rows concerned.
        """
        where = self.file.name
        if self.rows == 0:
            raise InputError("the corpus is empty", where=where, fix="Give a file with one document per line.")
        reasons = Counter(reject.reason for reject in self.rejects)
        if kept == 0 and set(reasons) <= {"not_korean", "too_short"} and "not_korean" in reasons:
            raise InputError(
                f"there is no Korean in it: {reasons['not_korean']:,} documents, all below "
                f"{self.config.min_hangul_share:.0%} Hangul",
                where=where,
                fix="Give Korean documents, or lower ingest_corpus.min_hangul_share.",
            )
        if kept == 0 or len(self.rejects) > self.config.max_bad_share * self.rows:
            raise InputError(
                f"{len(self.rejects):,} of {self.rows:,} rows cannot be used "
                f"(at most {self.config.max_bad_share:.0%} may): {_counts(reasons)}",
                where="; ".join(f"{reject.where} {reject.reason}" for reject in self.rejects[:_NEEDED]),
                fix="Mend the rows, or raise ingest_corpus.max_bad_share." + _hint(reasons),
            )


def to_document(row: Mapping[str, Any], config: IngestCorpusConfig) -> Document:
    """Check and clean one row (``_id`` or ``id``, ``text``, optional ``title``, ``date``, ``url``, ``lang``).

    A date that is no ISO 8601 date becomes None. Other fields are left out.

    Raises:
        BadRowError: ``no_id``, ``bad_id``, ``no_text``, ``bad_field``, ``control_characters``, ``too_short``
            or ``not_korean``.
    """
    document_id = to_id(row)
    text = clean_text(row)
    if len(text) < config.min_characters:
        raise BadRowError("too_short", f"{len(text)} characters")
    share = hangul_share(text)
    if share < config.min_hangul_share or share == 0:
        raise BadRowError("not_korean", f"{share:.0%} of the letters are Hangul")
    return Document(
        id=document_id,
        text=text,
        title=one_line(normalise(_string(row, "title") or "")),
        date=iso_date(row.get("date")),
        url=_string(row, "url"),
        lang=_string(row, "lang"),
    )


def to_id(row: Mapping[str, Any]) -> str:
    """The row's id as a string; whole numbers are ids too.

    Raises:
        BadRowError: ``no_id``, or ``bad_id``: white space would break the tables that name documents.
    """
    value = row.get("_id", row.get("id"))
    if value is None or value == "":
        raise BadRowError("no_id", "neither _id nor id")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRowError("bad_id", f"a {type(value).__name__}")
    document_id = str(value)
    if re.search(r"\s", document_id) or has_control_characters(document_id):
        raise BadRowError("bad_id", "white space or control characters in an id")
    return document_id


def clean_text(row: Mapping[str, Any]) -> str:
    """The row's text, normalised.

    Raises:
        BadRowError: ``no_text`` or ``control_characters``.
    """
    text = row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise BadRowError("no_text", "no text" if text is None else f"an empty or non-text {type(text).__name__}")
    if has_control_characters(text):
        raise BadRowError("control_characters", "NUL or control characters: not text, or wrongly decoded")
    return normalise(text)


def iso_date(value: Any) -> str | None:
    """A date as it was written if it is ISO 8601, else None.

    >>> iso_date("2024-05-01"), iso_date("2024-05-01T10:00:00Z"), iso_date("1 May")
    ('2024-05-01', '2024-05-01T10:00:00Z', None)
    """
    if not isinstance(value, str):
        return None
    try:
        datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return value.strip()


def sample(documents: Iterable[Document], size: int) -> Iterator[Document]:
    """At most ``size`` documents, drawn evenly by the hash of their ids, in the file's order; 0 is all."""
    if size == 0:
        yield from documents
        return
    drawn = heapq.nsmallest(size, enumerate(documents), key=_draw)
    for _, document in sorted(drawn, key=lambda numbered: numbered[0]):
        yield document


def _draw(numbered: tuple[int, Document]) -> bytes:
    """Not the hash of the splits, so that a sample keeps their proportions."""
    return hashlib.sha256(numbered[1].id.encode()).digest()


def rejected(bad: BadRowError, where: str, row: Mapping[str, Any]) -> Reject:
    """The reject for a bad row, its texts shortened."""
    shown = {str(key): value[:_SHOWN_CHARACTERS] if isinstance(value, str) else value for key, value in row.items()}
    kept = {key: value for key, value in shown.items() if _presentable(value)}
    return Reject(stage=STAGE, reason=bad.reason, detail=bad.detail, where=where, row=kept)


def _presentable(value: Any) -> bool:
    """Whether a value is small enough to repeat and can be written as UTF-8."""
    try:
        return len(json.dumps(value, ensure_ascii=False).encode("utf-8")) <= 4 * _SHOWN_CHARACTERS
    except UnicodeEncodeError:
        return False


def _string(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or has_control_characters(value):
        raise BadRowError("bad_field", f"{name} is not text")
    return value


def _counts(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())


def _hint(reasons: Counter[str]) -> str:
    if reasons.get("not_utf8"):
        return " Korean files that are not UTF-8 are often CP949: iconv -f CP949 -t UTF-8."
    if reasons.get("no_id") or reasons.get("not_json"):
        return " Each line is one JSON object with `_id` (or `id`) and `text`."
    return ""
