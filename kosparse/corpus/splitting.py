"""Which split a document belongs to: decided by its id alone, so it never moves."""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

Split = Literal["test", "validation", "train"]
SPLITS: tuple[Split, ...] = get_args(Split)

_TEST_BELOW, _VALIDATION_BELOW = 40, 60
"""Percent of the documents, counted from 0: 40 % test, 20 % validation, 40 % train."""


def bucket(document_id: str) -> int:
    """The MD5 hash of an id, modulo 100: 0 to 99, the same on every machine."""
    return _hash(document_id) % 100


def part_of(passage_id: str, parts: int) -> int:
    """Which of so many about equal parts of a collection a passage belongs to: 1 to ``parts``, on every machine."""
    return _hash(passage_id) % parts + 1


def split_of(document_id: str) -> Split:
    """The split of a document.

    >>> split_of("shared/01/06040500")
    'train'
    """
    number = bucket(document_id)
    if number < _TEST_BELOW:
        return "test"
    return "validation" if number < _VALIDATION_BELOW else "train"


def split_of_query(document_ids: list[str]) -> Split | None:
    """The split of a query from its relevant documents; None when it has none or they straddle test.

    A query is ``test`` when all its documents are. One with validation and train documents counts as
    ``validation``: it must not be trained on.
    """
    splits = {split_of(document_id) for document_id in document_ids}
    if len(splits) == 1:
        return splits.pop()
    return "validation" if splits == {"validation", "train"} else None


def _hash(text: str) -> int:
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), 16)
