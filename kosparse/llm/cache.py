"""Raw answers of a language model, kept in SQLite: the same question is never asked twice.

The key covers everything that decides an answer: model, revision, quantization, rendered messages,
schema, sampling parameters, seed and sample. Raw completions are kept, parsed rows are not, so a
better parser reads old answers. Failures are never kept. Each answer is committed as it arrives:
a killed process repeats nothing.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from kosparse.errors import ResourceError
from kosparse.ports import ChatModel, ChatRequest, never
from kosparse.records import Completion, Reject

_SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (
  key TEXT PRIMARY KEY, model TEXT NOT NULL, completion TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID
"""
_KEYS_PER_QUERY = 500


class CachedChatModel:
    """A chat model that looks its answers up first. Safe with several processes on one disk."""

    def __init__(self, inner: ChatModel, path: Path) -> None:
        self.inner, self.path = inner, path
        self.model, self.revision, self.quantization = inner.model, inner.revision, inner.quantization
        self._connection: sqlite3.Connection | None = None

    def complete(
        self, requests: Sequence[ChatRequest], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Completion | Reject]]:
        """Yield cached answers first, then those of the inner model, storing each as it comes."""
        keys = [self.key(request) for request in requests]
        found = self._lookup(keys)
        for position, key in enumerate(keys):
            if key in found:
                yield position, found[key].model_copy(update={"cached": True})
        missing = [position for position, key in enumerate(keys) if key not in found]
        for place, answer in self.inner.complete([requests[position] for position in missing], stop=stop):
            position = missing[place]
            if isinstance(answer, Completion):
                self._store(keys[position], answer)
            yield position, answer

    def key(self, request: ChatRequest) -> str:
        """SHA-256 of the canonical JSON of everything that decides the answer."""
        content = [self.model, self.revision, self.quantization, asdict(request)]
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def _lookup(self, keys: Sequence[str]) -> dict[str, Completion]:
        found: dict[str, Completion] = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            chunk = keys[start : start + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(chunk))
            rows = self._database().execute(f"SELECT key, completion FROM responses WHERE key IN ({marks})", chunk)
            found |= {key: Completion.model_validate_json(completion) for key, completion in rows}
        return found

    def _store(self, key: str, completion: Completion) -> None:
        row = (key, self.model, completion.model_dump_json(exclude={"cached"}), time.time())
        try:
            with self._database() as database:
                database.execute("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?)", row)
        except sqlite3.OperationalError as error:
            raise self._unusable(error) from error

    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._connection = sqlite3.connect(self.path, timeout=60, check_same_thread=False)
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute(_SCHEMA)
                self._connection.commit()
            except (OSError, sqlite3.Error) as error:
                raise self._unusable(error) from error
        return self._connection

    def _unusable(self, error: Exception) -> ResourceError:
        return ResourceError(
            f"the answer cache cannot be used: {error}",
            where=str(self.path),
            fix="Free disk space, check permissions, or set KOSPARSE_CACHE to another folder.",
        )
