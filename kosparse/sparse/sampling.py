"""Which passages of a large collection are trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from kosparse.errors import InputError
from kosparse.records import Passage
from kosparse.sparse.training_set import places_of


def sampled(passages: Sequence[Passage], most: int, first: Sequence[Iterable[str]] = ()) -> list[Passage]:
    """Whole documents with at most ``most`` passages together, in their order; all where that is enough.

    Documents are drawn by the hash of their ids, so that a collection that has grown keeps most of its sample.

    Args:
        passages: The collection.
        most: 0 for all.
        first: Documents that come before all others, in groups, the most wanted group first; others than the
            collection's are passed over.

    Raises:
        InputError: Not one document is so short.
    """
    if not most or len(passages) <= most:
        return list(passages)
    places = places_of(passages)
    wanted = (name for group in (*first, places) for name in sorted(set(group), key=_lot) if name in places)
    chosen: list[int] = []
    for name in dict.fromkeys(wanted):
        if len(chosen) + len(places[name]) <= most:
            chosen += places[name]
    if not chosen:
        raise InputError(
            f"every document has more than {most:,} passages",
            where="build_training_set.max_passages",
            fix="Raise it, or set it to 0 to train on all passages.",
        )
    return [passages[place] for place in sorted(chosen)]


def _lot(document_id: str) -> bytes:
    return hashlib.sha256(document_id.encode()).digest()
