"""Documents that say what an earlier one said, word for word or nearly: MinHash with banding (Broder 1997)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kosparse.corpus.seen import Seen
from kosparse.corpus.text import query_key

_GRAM = 5
"""Characters of a shingle; blanks and signs are no characters here."""
_FEWEST_GRAMS = 30
"""A shorter text is near to many without being a copy."""
_BANDS, _ROWS = 8, 6
"""Two texts of Jaccard similarity s meet in a band with probability 1 - (1 - s**6)**8: .998 at .9, .91 at .8."""
_GENERATOR = np.random.default_rng(20240501)
_FACTORS = _GENERATOR.integers(1, 2**63, _BANDS * _ROWS, dtype=np.uint64) * 2 + 1
_OFFSETS = _GENERATOR.integers(0, 2**63, _BANDS * _ROWS, dtype=np.uint64)
_POWERS = np.array([1_099_511_628_211**place % 2**64 for place in range(_GRAM)], dtype=np.uint64)
_MOST_GRAMS = 20_000

Hashes = NDArray[np.uint32]


@dataclass(frozen=True)
class Duplicate:
    """A document that repeats an earlier one."""

    kind: Literal["duplicate", "near_duplicate"]
    of: str
    """Id of the earlier document."""
    similarity: float
    """Jaccard similarity of their shingles, estimated from 48 hashes: ± .06 at .8."""


class Duplicates:
    """Looks documents up among all earlier ones, whose hashes are on disk.

    Args:
        seen: Where to keep them.
        min_jaccard: Least similarity of near duplicates, in (0, 1]; 0 looks for exact ones only.
    """

    def __init__(self, seen: Seen, min_jaccard: float) -> None:
        self._seen, self._least, self._count = seen, min_jaccard, 0
        self._run = seen.execute
        self._run("CREATE TABLE signatures(number INTEGER PRIMARY KEY, id TEXT, signature BLOB)")
        self._run("CREATE TABLE bands(key INTEGER PRIMARY KEY, number INTEGER)")

    def find(self, document_id: str, text: str) -> Duplicate | None:
        """The earlier document this one repeats; None, and it is kept for later ones, when it repeats none."""
        words = query_key(text)
        earlier = self._seen.note("text", words, document_id)
        if earlier is not None:
            return Duplicate("duplicate", earlier, 1.0)
        found = signature(words) if self._least else None
        if found is None:
            return None
        keys = _band_keys(found)
        near = self._nearest(found, keys)
        if near is None:
            self._count += 1
            self._run("INSERT INTO signatures VALUES(?, ?, ?)", (self._count, document_id, found.tobytes()))
            for key in keys:
                self._run("INSERT OR IGNORE INTO bands VALUES(?, ?)", (key, self._count))
        return near

    def _nearest(self, found: Hashes, keys: Sequence[int]) -> Duplicate | None:
        places = ",".join("?" * len(keys))
        rows = self._run(
            "SELECT DISTINCT s.number, s.id, s.signature FROM bands b JOIN signatures s ON s.number = b.number "
            f"WHERE b.key IN ({places}) ORDER BY s.number",
            keys,
        )
        for _, document_id, held in rows:
            similarity = float(np.mean(np.frombuffer(held, dtype=found.dtype) == found))
            if similarity >= self._least:
                return Duplicate("near_duplicate", document_id, round(similarity, 3))
        return None


def signature(words: str) -> Hashes | None:
    """The least hash of a text's shingles under each of 48 hash functions, shape [48]; None for a very short text."""
    points = np.frombuffer(words[: _MOST_GRAMS + _GRAM].encode("utf-32-le", "replace"), dtype=np.uint32)
    if len(points) < _GRAM + _FEWEST_GRAMS:
        return None
    grams = np.lib.stride_tricks.sliding_window_view(points.astype(np.uint64), _GRAM)
    hashes = np.unique((grams * _POWERS).sum(axis=1, dtype=np.uint64))
    hashes ^= hashes >> np.uint64(29)
    least: Hashes = ((hashes[:, None] * _FACTORS + _OFFSETS) >> np.uint64(32)).min(axis=0).astype(np.uint32)
    return least


def _band_keys(found: Hashes) -> list[int]:
    """One signed 64-bit key per band."""
    rows = enumerate(found.reshape(_BANDS, _ROWS))
    return [
        int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8, key=bytes([band])).digest(), signed=True)
        for band, row in rows
    ]
