"""Answers shared through an object store: immutable segments, one writer each.

``<prefix>/<writer>/<number>.jsonl.gz`` holds the answers a process got in the last 30 seconds. A
process takes in the segments it has not seen when it starts, so a pod that is lost costs at most the
last 30 seconds. The store is a help, never a condition: while it does not answer, the local file serves.
"""

from __future__ import annotations

import atexit
import gzip
import json
import tempfile
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kosparse import progress
from kosparse.errors import KosparseError
from kosparse.llm.responses import Response, Responses
from kosparse.ports import ObjectStore, bucket_and_prefix

SECONDS_BETWEEN_FLUSHES = 30.0
_DOWNLOADS_AT_ONCE = 8


class Segments:
    """The answers of all machines, as far as they are in the store.

    Args:
        store: Where segments are kept.
        address: ``s3://bucket/prefix``; the bucket is made when it is missing.
        path: The local file of answers.
        seconds: Between two flushes.

    Raises:
        ConfigError: Not such an address.
    """

    def __init__(
        self, store: ObjectStore, address: str, path: Path, *, seconds: float = SECONDS_BETWEEN_FLUSHES
    ) -> None:
        self._bucket, self._prefix = bucket_and_prefix(address, of="answers", where="KOSPARSE_LLM_CACHE")
        self._store, self._path, self._seconds = store, path, seconds
        self._writer, self._written = uuid.uuid4().hex[:16], 0
        self._running, self._ended = False, threading.Event()
        self._silent = False

    def start(self) -> None:
        """Take in what is new, then flush every 30 seconds until the process ends; the second call does nothing."""
        if self._running:
            return
        self._running = True
        self._try(self._merge)
        threading.Thread(target=self._flush_now_and_then, daemon=True).start()
        atexit.register(self.close)

    def close(self) -> None:
        """Flush what is left and stop."""
        if not self._ended.is_set():
            self._ended.set()
            self._try(self._flush)

    def _flush_now_and_then(self) -> None:
        while not self._ended.wait(self._seconds):
            self._try(self._flush)

    def _try(self, action: object) -> None:
        """Do it; trouble with the store is told once and left for the next time."""
        assert callable(action)
        try:
            action()
            self._silent = False
        except KosparseError as error:
            if not self._silent:
                progress.note(f"answers are kept on this machine only for now: {error.what}")
            self._silent = True

    def _merge(self) -> None:
        self._store.ensure_bucket(self._bucket)
        responses = Responses(self._path)
        seen = responses.merged()
        fresh = [key for key in self._store.list(self._bucket, self._prefix) if key not in seen]
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            files = [Path(folder) / str(number) for number in range(len(fresh))]
            downloads = [
                pool.submit(self._store.download, self._bucket, key, file)
                for key, file in zip(fresh, files, strict=True)
            ]
            for key, file, download in zip(fresh, files, downloads, strict=True):
                download.result()
                _take_in(responses, key, file)

    def _flush(self) -> None:
        """Put the answers that are in no segment yet into a new one.

        Two processes that share a file may put the same answers into two segments; merging does not mind.
        """
        responses = Responses(self._path)
        rows = responses.unsent()
        if not rows:
            return
        key = f"{self._prefix}{self._writer}/{self._written:06d}.jsonl.gz"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "segment"
            write_responses(file, iter(rows))
            self._store.upload(file, self._bucket, key)
        self._written += 1
        responses.merge(key, (), sent=[row.key for row in rows])


def _take_in(responses: Responses, name: str, file: Path) -> None:
    try:
        rows = list(read_responses(file))
    except (OSError, EOFError, ValueError, TypeError) as error:
        progress.note(f"left out a segment of answers that cannot be read: {name}: {error}")
        return
    responses.merge(name, rows)


def write_responses(path: Path, rows: Iterator[Response]) -> int:
    """Write answers as gzipped JSON lines; return how many."""
    count = 0
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=3) as file:
        for row in rows:
            file.write(json.dumps(row._asdict(), ensure_ascii=False) + "\n")
            count += 1
    return count


def read_responses(path: Path) -> Iterator[Response]:
    """Read what ``write_responses`` wrote.

    Raises:
        OSError, EOFError, ValueError, TypeError: Not such a file.
    """
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield Response(**json.loads(line))
