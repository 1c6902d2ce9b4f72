"""Records written as they come: ten million rejects of a bad collection must not fill the memory."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from pydantic import BaseModel

from kosparse.errors import ResourceError
from kosparse.records import Reject

_FIRST = 3


class RecordLog:
    """JSON lines that appear when the ``with`` block ends, however it ends.

    Raises:
        ResourceError: The disk is full or the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._partial = path, path.with_name(f"{path.name}.{os.getpid()}.partial")

    def __enter__(self) -> Self:
        try:
            self._file = open(self._partial, "w", encoding="utf-8")
        except OSError as error:
            raise self._full(error) from error
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            self._file.close()
            os.replace(self._partial, self._path)
        except OSError as error:
            self._partial.unlink(missing_ok=True)
            raise self._full(error) from error

    def write(self, record: BaseModel) -> None:
        """Append one record."""
        try:
            self._file.write(record.model_dump_json(exclude_defaults=True) + "\n")
        except OSError as error:
            raise self._full(error) from error

    def _full(self, error: OSError) -> ResourceError:
        fix = "Free disk space or choose another folder, then run again."
        return ResourceError(f"cannot write: {error}", where=str(self._path), fix=fix)


class Rejects(RecordLog):
    """Rejects, counted by reason, the first ones at hand."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reasons: Counter[str] = Counter()
        self.first: list[Reject] = []

    def __len__(self) -> int:
        return self.reasons.total()

    def add(self, reject: Reject) -> None:
        """Write and count one."""
        self.write(reject)
        self.reasons[reject.reason] += 1
        if len(self.first) < _FIRST:
            self.first.append(reject)

    def extend(self, rejects: Iterable[Reject]) -> None:
        """Write and count several."""
        for reject in rejects:
            self.add(reject)
