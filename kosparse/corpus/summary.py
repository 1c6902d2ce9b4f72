"""What a collection holds, counted while it streams by."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kosparse.config import IngestCorpusConfig
from kosparse.corpus.cleaning import WHERE
from kosparse.corpus.duplicates import Duplicate, Duplicates
from kosparse.corpus.personal_data import personal_data
from kosparse.corpus.readers import STAGE
from kosparse.corpus.record_log import RecordLog, Rejects
from kosparse.corpus.seen import Seen
from kosparse.corpus.text import hangul_share
from kosparse.records import Document, Flag, Reject

KEPT = "kept"
"""Under which ``Seen`` knows the documents that passed."""
_SCRIPTS = {
    "Hangul": re.compile(r"[가-힣ㄱ-ㆎ]"),
    "Latin": re.compile(r"[A-Za-zÀ-ɏ]"),
    "Han": re.compile(r"[\u3400-\u9fff]"),
    "Kana": re.compile(r"[ぁ-ヿ]"),
    "Cyrillic": re.compile(r"[Ѐ-ӿ]"),
}
_LEAST_SCRIPT = 0.1
_LANGUAGE_CHARACTERS, _MOST_LANGUAGES = 35, 200
"""The longest tag that RFC 5646 asks programs to bear; more languages than this are no languages."""
_LENGTHS = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000)


@dataclass
class Summary:
    """Numbers about the documents that passed through ``watch``."""

    documents: int = 0
    characters: int = 0
    duplicate_texts: int = 0
    """Documents whose word characters equal an earlier document's."""
    near_duplicates: int = 0
    scripts: Counter[str] = field(default_factory=Counter)
    """Documents by the scripts that make up a tenth of their letters, the most frequent first."""
    languages: Counter[str] = field(default_factory=Counter)
    """Documents by what their field ``lang`` says, where it says something; ``other`` beyond the first 200."""
    lengths: Counter[int] = field(default_factory=Counter)
    """Documents by the least of ``_LENGTHS`` that they are shorter than; 0 for longer ones."""
    months: Counter[str] = field(default_factory=Counter)
    personal_data: Counter[str] = field(default_factory=Counter)
    """Documents by kind."""
    first_date: str | None = None
    last_date: str | None = None
    _shares: float = 0.0
    _hash: Any = field(default_factory=hashlib.sha256)

    def count(self, document: Document) -> None:
        """Count one document."""
        self.documents += 1
        self.characters += len(document.text)
        self._shares += hangul_share(document.text)
        self.scripts[scripts(document.text)] += 1
        if document.lang:
            language = document.lang[:_LANGUAGE_CHARACTERS]
            is_known = language in self.languages or len(self.languages) < _MOST_LANGUAGES
            self.languages[language if is_known else "other"] += 1
        self.lengths[next((length for length in _LENGTHS if len(document.text) < length), 0)] += 1
        if document.date:
            self.months[document.date[:7]] += 1
            self.first_date = min(self.first_date or document.date, document.date)
            self.last_date = max(self.last_date or document.date, document.date)
        self._hash.update(_line(document))

    def as_json(self) -> dict[str, Any]:
        """Counts, mean Hangul share (0 to 1), first and last date, and the SHA-256 of the content."""
        return {
            "documents": self.documents,
            "characters": self.characters,
            "mean_characters": round(self.characters / self.documents, 1) if self.documents else 0.0,
            "hangul_share": round(self._shares / self.documents, 4) if self.documents else 0.0,
            "scripts": dict(self.scripts.most_common()),
            "languages": dict(self.languages.most_common()),
            "lengths": {name: self.lengths[length] for length, name in _length_names() if self.lengths[length]},
            "duplicate_texts": self.duplicate_texts,
            "near_duplicates": self.near_duplicates,
            "personal_data": dict(self.personal_data.most_common()),
            "has_dates": bool(self.months),
            "dated_documents": self.months.total(),
            "first_date": self.first_date,
            "last_date": self.last_date,
            "months": dict(sorted(self.months.items())),
            "sha256": self._hash.hexdigest(),
        }


def collection_hash(documents: Iterable[Document]) -> str:
    """The SHA-256 that the summary of a collection gives: by it a run's documents are known again."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(_line(document))
    return digest.hexdigest()


class Inspection:
    """Flags, or leaves out, what repeats an earlier document or holds personal data; counts the rest.

    Args:
        config: What to leave out.
        seen: Knows the row of each document (``cleaning.WHERE``).
        rejects: Take what is left out, with its row and id.
        flags: Take what is kept all the same.
    """

    def __init__(self, config: IngestCorpusConfig, seen: Seen, rejects: Rejects, flags: RecordLog) -> None:
        self.summary = Summary()
        self._config, self._seen, self._rejects, self._flags = config, seen, rejects, flags
        self._duplicates = Duplicates(seen, config.near_duplicate_jaccard)

    def watch(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Documents on their way through."""
        for document in documents:
            personal = personal_data(document.searched)
            if personal and self._config.personal_data == "drop":
                self._drop(document, "personal_data", ", ".join(personal))
                continue  # unseen by what looks for duplicates: a copy without them is not to be lost, too
            found = self._duplicates.find(document.id, document.text)
            if found and self._is_dropped(document, found):
                continue
            self._flag(document, found, personal)
            self.summary.count(document)
            self._seen.note(KEPT, document.id)
            yield document

    def _is_dropped(self, document: Document, found: Duplicate) -> bool:
        """Whether the config leaves a duplicate out; then it is among the rejects."""
        dropped = {"flag": (), "drop_exact": ("duplicate",), "drop": ("duplicate", "near_duplicate")}
        if found.kind in dropped[self._config.duplicates]:
            reason = "duplicate_text" if found.kind == "duplicate" else "near_duplicate"
            self._drop(document, reason, _repeats(found))
            return True
        return False

    def _drop(self, document: Document, reason: str, detail: str) -> None:
        where = self._seen.noted(WHERE, document.id) or ""
        self._rejects.add(Reject(stage=STAGE, reason=reason, detail=detail, where=where, row={"_id": document.id}))

    def _flag(self, document: Document, found: Duplicate | None, personal: list[str]) -> None:
        if found:
            self._flags.write(Flag(document_id=document.id, kind=found.kind, detail=_repeats(found)))
            self.summary.duplicate_texts += found.kind == "duplicate"
            self.summary.near_duplicates += found.kind == "near_duplicate"
        if personal:
            self._flags.write(Flag(document_id=document.id, kind="personal_data", detail=", ".join(personal)))
            self.summary.personal_data.update(personal)


def scripts(text: str) -> str:
    """The scripts that make up at least a tenth of a text's letters, the most frequent first.

    >>> scripts("모델(model)을 학습한다"), scripts("123")
    ('Hangul, Latin', 'none')
    """
    counts = Counter({name: len(pattern.findall(text)) for name, pattern in _SCRIPTS.items()})
    least = max(_LEAST_SCRIPT * counts.total(), 1)
    return ", ".join(name for name, count in counts.most_common() if count >= least) or "none"


def _line(document: Document) -> bytes:
    """What of a document goes into the hash."""
    return document.model_dump_json().encode() + b"\n"


def _repeats(found: Duplicate) -> str:
    return f"{found.of} ({found.similarity:.2f})"


def _length_names() -> list[tuple[int, str]]:
    lows = (0, *_LENGTHS)
    return [(high, f"{low}–{high}") for low, high in zip(lows, _LENGTHS, strict=False)] + [(0, f"{_LENGTHS[-1]}–")]
