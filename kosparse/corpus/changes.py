"""What is new in a collection since it was last read, by id and hash of the content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kosparse.records import Document


@dataclass
class Changes:
    """Ids by what became of them. Unchanged documents are counted only."""

    new: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    unchanged: int = 0

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.removed)


def content_hashes(documents: Iterable[Document]) -> dict[str, bytes]:
    """Hash of each document's whole content by its id."""
    return {document.id: content_hash(document) for document in documents}


def content_hash(document: Document) -> bytes:
    """Sixteen bytes that change with any field."""
    return hashlib.blake2b(document.model_dump_json().encode(), digest_size=16).digest()


def compare(before: Mapping[str, bytes], now: Iterable[Document], *, additions: bool = False) -> Changes:
    """What happened to a collection.

    Args:
        before: From ``content_hashes``.
        now: The collection as it is, or with ``additions`` only what comes to it.

    >>> a, b = Document(id="a", text="셀"), Document(id="b", text="표")
    >>> compare(content_hashes([a]), [b]).removed, compare(content_hashes([a]), [b], additions=True).removed
    ({'a'}, set())
    """
    found = Changes(removed=set() if additions else set(before))
    for document in now:
        found.removed.discard(document.id)
        if document.id not in before:
            found.new.add(document.id)
        elif before[document.id] != content_hash(document):
            found.changed.add(document.id)
        else:
            found.unchanged += 1
    if additions:
        found.unchanged = len(before) - len(found.changed)
    return found
