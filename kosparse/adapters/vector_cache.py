"""Vectors on disk by key, in one SQLite file: shared by processes, whole after a kill."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from kosparse.errors import ResourceError
from kosparse.ports import Vectors

_KEYS_PER_QUERY = 500
_SECONDS_TO_WAIT_FOR_A_LOCK = 60.0


class VectorCache:
    """A map from text key to float32 vector, all of one length."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, keys: Sequence[str]) -> dict[str, Vectors]:
        """The vectors that are there; keys that are not are left out."""
        found: dict[str, Vectors] = {}
        wanted = sorted(set(keys))
        with self._open() as database:
            for start in range(0, len(wanted), _KEYS_PER_QUERY):
                part = wanted[start : start + _KEYS_PER_QUERY]
                marks = ",".join("?" * len(part))
                rows = database.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)
                found |= {key: np.frombuffer(blob, dtype=np.float32) for key, blob in rows}
        return found

    def put(self, vectors: Mapping[str, Vectors]) -> None:
        """Add vectors; a key that is there keeps its vector."""
        rows = [(key, np.asarray(vector, dtype=np.float32).tobytes()) for key, vector in vectors.items()]
        with self._open() as database, database:
            database.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)

    def dimensions(self) -> int:
        """Length of the vectors; 0 while there are none."""
        with self._open() as database:
            row = database.execute("SELECT length(vector) FROM vectors LIMIT 1").fetchone()
        return row[0] // 4 if row else 0

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_SECONDS_TO_WAIT_FOR_A_LOCK)) as database:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB) WITHOUT ROWID")
                yield database
        except (sqlite3.Error, OSError) as error:
            raise ResourceError(
                f"the cache of vectors cannot be used: {error}",
                where=str(self.path),
                fix="Free disk space, or delete this file: it is only a cache.",
            ) from error
