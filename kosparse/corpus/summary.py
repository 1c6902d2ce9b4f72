"""What a collection holds, counted while it streams by."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kosparse.corpus.text import hangul_share, query_key
from kosparse.records import Document, Reject


@dataclass
class Summary:
    """Numbers about the documents that passed through ``watch``."""

    documents: int = 0
    characters: int = 0
    duplicate_texts: int = 0
    """Documents whose word characters equal an earlier document's. They are kept."""
    dates: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    _shares: float = 0.0
    _texts: set[bytes] = field(default_factory=set)
    _hash: Any = field(default_factory=hashlib.sha256)

    def watch(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Count documents on their way through."""
        for document in documents:
            self._count(document)
            yield document

    def as_json(self) -> dict[str, Any]:
        """Counts, mean Hangul share (0 to 1), first and last date, and the SHA-256 of the content."""
        return {
            "documents": self.documents,
            "characters": self.characters,
            "mean_characters": round(self.characters / self.documents, 1) if self.documents else 0.0,
            "hangul_share": round(self._shares / self.documents, 4) if self.documents else 0.0,
            "duplicate_texts": self.duplicate_texts,
            "has_dates": bool(self.dates),
            "dated_documents": len(self.dates),
            "first_date": min(self.dates, default=None),
            "last_date": max(self.dates, default=None),
            "sha256": self._hash.hexdigest(),
        }

    def _count(self, document: Document) -> None:
        self.documents += 1
        self.characters += len(document.text)
        self.ids.add(document.id)
        self._shares += hangul_share(document.text)
        if document.date:
            self.dates.append(document.date)
        key = hashlib.sha256(query_key(document.text).encode()).digest()
        self.duplicate_texts += key in self._texts
        self._texts.add(key)
        self._hash.update(document.model_dump_json().encode() + b"\n")


def count_reasons(rejects: Iterable[Reject]) -> dict[str, int]:
    """How many rows were left out for each reason, most frequent first."""
    return dict(Counter(reject.reason for reject in rejects).most_common())
