"""Turn raw rows into documents, or into rejects that say why not."""

from __future__ import annotations

import hashlib
import heapq
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from kosparse.config import IngestCorpusConfig
from kosparse.corpus.encodings import mend
from kosparse.corpus.readers import STAGE, Location, Reading, read_corpus
from kosparse.corpus.record_log import Rejects
from kosparse.corpus.seen import Seen
from kosparse.corpus.text import hangul_share, has_control_characters, normalise, one_line
from kosparse.errors import InputError
from kosparse.records import Document, Reject

WHERE = "id"
"""Under which ``Seen`` knows the row of each document."""
_SHOWN_CHARACTERS = 200
_KOREAN_DATE = re.compile(r"(\d{4})\s*[./년-]\s*(\d{1,2})\s*[./월-]\s*(\d{1,2})(?!\d)")


class BadRowError(ValueError):
    """A row that cannot be used: a reason to count, and a detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(reason)


NO_FAULT = ("duplicate_text", "near_duplicate", "personal_data")
"""Reasons that do not make a row a bad one: the collection is as it is, and the config chose."""
_EXAMPLES = 3


@dataclass
class Cleaned:
    """Reads documents from a file or folder; counts and rejects fill up while it is iterated."""

    corpus: Location
    config: IngestCorpusConfig
    rejects: Rejects
    seen: Seen
    reading: Reading = field(default_factory=Reading)
    rows: int = 0
    bad_dates: int = 0
    mended: int = 0
    """Documents that had been decoded wrongly before they came here."""
    mended_examples: list[dict[str, str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[Document]:
        for where, row in read_corpus(self.corpus, self.config.columns, self.reading):
            self.rows += 1
            if isinstance(row, Reject):
                self.rejects.add(row)
                continue
            try:
                document = to_document(self._mended(row, where), self.config)
                if first := self.seen.note(WHERE, document.id, where):
                    reason = "duplicate_text" if self.reading.made_ids else "duplicate_id"
                    raise BadRowError(reason, f"first seen at {first}")
            except BadRowError as bad:
                self.rejects.add(rejected(bad, where, row))
                continue
            self.bad_dates += document.date is None and bool(row.get("date"))
            yield document

    def _mended(self, row: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """The row, its texts decoded as they should have been."""
        texts = {name: row[name] for name in ("title", "text") if isinstance(row.get(name), str)}
        better = {name: mend(text) for name, text in texts.items()}
        if better == texts:
            return row
        self.mended += 1
        if len(self.mended_examples) < _EXAMPLES:
            name = next(name for name in texts if better[name] != texts[name])
            before, after = texts[name][:_SHOWN_CHARACTERS], better[name][:_SHOWN_CHARACTERS]
            self.mended_examples.append({"where": where, "before": before, "after": after})
        return {**row, **better}

    def check(self, kept: int) -> None:
        """Stop the run when there is nothing to go on with, or too much is bad.

        Raises:
            InputError: Names the reasons, how often each, and the first rows concerned.
        """
        where = self.corpus.name
        if self.rows == 0:
            raise InputError("the corpus is empty", where=where, fix="Give a file with one document per line.")
        reasons = Counter({name: count for name, count in self.rejects.reasons.items() if name not in NO_FAULT})
        if kept == 0 and set(reasons) <= {"not_korean", "too_short"} and "not_korean" in reasons:
            raise InputError(
                f"there is no Korean in it: {reasons['not_korean']:,} documents, all below "
                f"{self.config.min_hangul_share:.0%} Hangul",
                where=where,
                fix="Give Korean documents, or lower ingest_corpus.min_hangul_share.",
            )
        if kept == 0 or reasons.total() > self.config.max_bad_share * self.rows:
            raise InputError(
                f"{reasons.total():,} of {self.rows:,} rows cannot be used "
                f"(at most {self.config.max_bad_share:.0%} may): {_counts(reasons)}",
                where="; ".join(f"{reject.where} {reject.reason}" for reject in self.rejects.first),
                fix="Mend the rows, or raise ingest_corpus.max_bad_share." + _hint(reasons),
            )


def to_document(row: Mapping[str, Any], config: IngestCorpusConfig) -> Document:
    """Check and clean one row (``_id`` or ``id``, ``text``, optional ``title``, ``date``, ``url``, ``lang``).

    A date that is none becomes None. Other fields are left out.

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
    """A date that is ISO 8601 with its day as ``2024-05-01``, one as Koreans write it as ISO 8601, any other as None.

    >>> iso_date("2024-05-01"), iso_date("2024-05-01T10:00:00Z"), iso_date("1 May")
    ('2024-05-01', '2024-05-01T10:00:00Z', None)
    >>> iso_date("20240501"), iso_date("20240501T100000")
    ('2024-05-01', '2024-05-01T100000')
    >>> iso_date("2024. 5. 1."), iso_date("2024년 12월 31일"), iso_date("2024/05/01 10:00")
    ('2024-05-01', '2024-12-31', '2024-05-01')
    """
    if not isinstance(value, str):
        return None
    value = value.strip()
    try:
        parsed = datetime.fromisoformat(value)
        return f"{parsed.date()}{value[len(re.split('[T ]', value)[0]) :]}"
    except ValueError:
        pass
    found = _KOREAN_DATE.match(value)
    try:
        return date(*map(int, found.groups())).isoformat() if found else None
    except ValueError:
        return None


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
    if reasons.get("unknown_encoding"):
        return " UTF-8, CP949, EUC-KR and UTF-16 are read; save other files as UTF-8."
    if reasons.get("no_id") or reasons.get("not_json"):
        return " Each line is one JSON object with `_id` (or `id`) and `text`."
    return ""
