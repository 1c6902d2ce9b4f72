"""What was seen before, on disk: ten million ids and texts do not fit beside everything else in memory."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kosparse.errors import ResourceError

_CACHE_KIB = 65536
_PRAGMAS = ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}", "locking_mode=EXCLUSIVE")


class Seen:
    """A scratch table of keys and of what was noted with each at first; about 30 bytes of disk an entry.

    Args:
        path: A file that is not there yet; it is of no use afterwards.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._told():
            self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in _PRAGMAS:
            self.execute(f"PRAGMA {pragma}")
        self.execute("CREATE TABLE seen(key BLOB PRIMARY KEY, noted TEXT) WITHOUT ROWID")
        self.execute("BEGIN")

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement; others may keep tables of their own here.

        Raises:
            ResourceError: The disk is full.
        """
        with self._told():
            return self._database.execute(statement, values)

    def note(self, kind: str, key: str, text: str = "") -> str | None:
        """Note a key; when it was noted before, what was noted then.

        Raises:
            ResourceError: The disk is full.
        """
        hashed = _hash(kind, key)
        if self.execute("INSERT OR IGNORE INTO seen VALUES(?, ?)", (hashed, text)).rowcount:
            return None
        return self._find(hashed)

    def noted(self, kind: str, key: str) -> str | None:
        """What was noted with a key; None when it was not."""
        return self._find(_hash(kind, key))

    def all(self, kind: str) -> Container[str]:
        """The keys of a kind, as something to ask ``key in`` of."""
        return _Noted(self, kind)

    def close(self) -> None:
        """Forget all; the file stays."""
        self._database.close()

    def _find(self, hashed: bytes) -> str | None:
        row = self.execute("SELECT noted FROM seen WHERE key = ?", (hashed,)).fetchone()
        return row[0] if row else None

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            fix = "Free disk space, or point TMPDIR to a larger disk."
            raise ResourceError(f"cannot note what was seen: {error}", where=str(self._path), fix=fix) from error


class _Noted(Container[str]):
    def __init__(self, seen: Seen, kind: str) -> None:
        self._seen, self._kind = seen, kind

    def __contains__(self, key: object) -> bool:
        return self._seen.noted(self._kind, str(key)) is not None


def _hash(kind: str, key: str) -> bytes:
    """Sixteen bytes: ten million keys share one by a chance of 1 in 10**25."""
    return hashlib.blake2b(f"{kind}\0{key}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
