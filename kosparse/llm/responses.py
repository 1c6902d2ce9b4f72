"""Raw answers in one SQLite file (write-ahead log): shared by processes of one machine, whole after a kill.

Not for a network volume: SQLite's log needs shared memory. Machines share answers through
``segments``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kosparse.errors import ResourceError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (
  key TEXT PRIMARY KEY, model TEXT NOT NULL, completion TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unsent (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS merged (segment TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_KEYS_PER_QUERY = 500
_MAPPED_BYTES, _PAGE_CACHE_KIB = 1 << 30, 65536
_SECONDS_TO_WAIT_FOR_A_LOCK = 60.0


class Response(NamedTuple):
    """One answer as it is kept."""

    key: str
    model: str
    completion: str
    """``records.Completion`` as JSON, without ``cached``."""
    created: float
    """Seconds since 1970, UTC."""


class ModelStats(NamedTuple):
    """What is kept of one model."""

    model: str
    answers: int
    bytes: int
    """Of the answers' text; the file is larger."""
    first: float
    last: float


class Responses:
    """The table of answers. One object belongs to one thread at a time.

    Every method raises ResourceError when the file cannot be used: no permission, a full disk, not a
    database. What was put before is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def get(self, keys: Sequence[str]) -> dict[str, str]:
        """Completions by key; keys that are not there are left out."""
        found: dict[str, str] = {}
        with self._open() as database:
            for start in range(0, len(keys), _KEYS_PER_QUERY):
                part = keys[start : start + _KEYS_PER_QUERY]
                marks = ",".join("?" * len(part))
                found.update(
                    database.execute(f"SELECT key, completion FROM responses WHERE key IN ({marks})", part).fetchall()
                )
        return found

    def put(self, response: Response, *, unsent: bool = False) -> None:
        """Keep one answer, at once and for good; ``unsent`` marks it for the next segment."""
        with self._open() as database, database:
            database.execute("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?)", response)
            if unsent:
                database.execute("INSERT OR IGNORE INTO unsent VALUES (?)", (response.key,))

    def unsent(self) -> list[Response]:
        """Answers that are in no segment yet, this process's and those of one that was killed."""
        with self._open() as database:
            rows = database.execute("SELECT r.* FROM unsent JOIN responses r USING (key) ORDER BY r.created")
            return [Response(*row) for row in rows]

    def merge(self, segment: str, responses: Iterable[Response], *, sent: Iterable[str] = ()) -> None:
        """Take in a segment's answers, or note that those with the keys ``sent`` went into it."""
        with self._open() as database, database:
            database.executemany("INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?)", responses)
            database.executemany("DELETE FROM unsent WHERE key = ?", ((key,) for key in sent))
            database.execute("INSERT OR IGNORE INTO merged VALUES (?)", (segment,))

    def merged(self) -> set[str]:
        """Names of the segments this file has taken in or given."""
        with self._open() as database:
            return {name for (name,) in database.execute("SELECT segment FROM merged")}

    def stats(self) -> list[ModelStats]:
        """By model, most answers first."""
        with self._open() as database:
            rows = database.execute(
                "SELECT model, count(*), sum(length(CAST(completion AS BLOB))), min(created), max(created) "
                "FROM responses GROUP BY model ORDER BY count(*) DESC, model"
            )
            return [ModelStats(*row) for row in rows]

    def all(self, model: str = "") -> Iterator[Response]:
        """Every answer, or one model's, by key."""
        with self._open() as database:
            rows = database.execute("SELECT * FROM responses WHERE ? IN ('', model) ORDER BY key", (model,))
            yield from (Response(*row) for row in rows)

    def prune(self, *, before: float, model: str = "") -> int:
        """Forget answers made before a time, of all models or one; give the space back; return how many."""
        with self._open() as database:
            with database:
                gone = database.execute(
                    "DELETE FROM responses WHERE created < ? AND ? IN ('', model)", (before, model)
                ).rowcount
                database.execute("DELETE FROM unsent WHERE key NOT IN (SELECT key FROM responses)")
            database.execute("VACUUM")
        return gone

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = _connect(self.path)
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            raise ResourceError(
                f"the answer cache cannot be used: {error}",
                where=str(self.path),
                fix="Free disk space, check permissions, or set KOSPARSE_CACHE to another folder.",
            ) from error


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_SECONDS_TO_WAIT_FOR_A_LOCK, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    # A killed process loses nothing; only a power cut can lose the last answers, never the file.
    connection.execute("PRAGMA synchronous=NORMAL")
    # Keys are hashes: looking up many touches every page of the file, in no order.
    connection.execute(f"PRAGMA mmap_size={_MAPPED_BYTES}")
    connection.execute(f"PRAGMA cache_size=-{_PAGE_CACHE_KIB}")
    connection.executescript(_SCHEMA)
    return connection
