"""Where a training is kept while it runs, so that a killed process goes on where it was.

A checkpoint is one file, ``step-<step>-<hash>.pt``: tensors, numbers and text, no code. Its name holds the hash of
its content, so one that was cut off is recognised; it holds what it belongs to, so that of another training is too.
The last two are kept, on this machine and, where there is one, in the object store.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from pickle import PickleError
from typing import Any

import torch

from kosparse.errors import ConfigError, KosparseError
from kosparse.ports import ObjectStore, bucket_and_prefix
from kosparse.progress import note

_NAME = re.compile(r"step-(\d{8})-([0-9a-f]{16})\.pt")
_KEPT = 2
_UNUSABLE = (KosparseError, OSError, RuntimeError, ValueError, LookupError, TypeError, EOFError, PickleError)
"""What reading a file that is no checkpoint ends with."""
State = dict[str, Any]
"""Tensors, numbers, text, and lists and dicts of them."""


@dataclass(frozen=True)
class Checkpoints:
    """Of one training.

    Args:
        root: Folder of the checkpoints of all trainings on this machine.
        store: Where they are kept besides; a store that is away does not end the training.
        address: ``s3://bucket/prefix`` in the store.
        origin: What the training is made from; a hash.
    """

    root: Path
    store: ObjectStore | None = None
    address: str = ""
    origin: str = "unnamed"

    def of(self, origin: str) -> Checkpoints:
        """Those of one training."""
        return replace(self, origin=origin)

    @property
    def folder(self) -> Path:
        """Where they lie on this machine."""
        return self.root / self.origin

    def save(self, step: int, state: State) -> None:
        """Keep a state; one that cannot be kept is said, and training goes on."""
        try:
            path = self._write(step, state)
        except (OSError, RuntimeError) as error:  # torch tells of a full disk by a RuntimeError
            note(f"no checkpoint of step {step}: {error}; training goes on, the one before is kept")
            return
        for old in _newest(path.name for path in self.folder.iterdir())[_KEPT:]:
            (self.folder / old).unlink(missing_ok=True)
        if self.store is not None:
            self._upload(path)

    def latest(self) -> State | None:
        """The state of the highest step that is whole and belongs to this training; None when there is none."""
        for name in _newest({*self._local(), *self._remote()}):
            state = self._read(name)
            if state is not None:
                return state
        return None

    def forget(self) -> None:
        """Remove them: the training is done."""
        for name in self._local():
            (self.folder / name).unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()
        for name in self._remote():
            self._remove(name)

    def _write(self, step: int, state: State) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{os.getpid()}.partial"
        try:
            with open(partial, "wb") as file:
                torch.save({"origin": self.origin, "step": step, "state": state}, file)
                file.flush()
                os.fsync(file.fileno())
            path = self.folder / f"step-{step:08d}-{_hash(partial)}.pt"
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    def _upload(self, path: Path) -> None:
        assert self.store is not None
        try:
            bucket, prefix = self._place()
            self.store.ensure_bucket(bucket)
            self.store.upload(path, bucket, f"{prefix}{path.name}")
        except ConfigError:
            raise
        except KosparseError as error:
            note(f"{path.name} is kept on this machine only: {error.what}")
            return
        for old in _newest(self._remote())[_KEPT:]:
            self._remove(old)

    def _read(self, name: str) -> State | None:
        """The state of one file, downloaded where need be; None, and a line that says why, when it cannot be used."""
        path = self.folder / name
        try:
            if not _whole(path) and name in self._remote():
                bucket, prefix = self._place()
                assert self.store is not None
                self.store.download(bucket, f"{prefix}{name}", path)
            if not _whole(path):
                raise ValueError("it is not whole")
            found = torch.load(path, map_location="cpu", weights_only=True)
            if found["origin"] != self.origin:
                raise ValueError("it belongs to another training")
        except _UNUSABLE as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            note(f"checkpoint {name} is left out: {why}")
            return None
        state: State = found["state"]
        return state

    def _local(self) -> list[str]:
        return _newest(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []

    def _remote(self) -> list[str]:
        if self.store is None:
            return []
        bucket, prefix = self._place()
        try:
            return _newest(key.removeprefix(prefix) for key in self.store.list(bucket, prefix))
        except KosparseError:  # there is no bucket yet, or the store is away
            return []

    def _remove(self, name: str) -> None:
        assert self.store is not None
        bucket, prefix = self._place()
        try:
            self.store.delete(bucket, f"{prefix}{name}")
        except KosparseError as error:
            note(f"{name} stays in the object store: {error.what}")

    def _place(self) -> tuple[str, str]:
        """Bucket, and the prefix of this training's keys."""
        bucket, prefix = bucket_and_prefix(self.address, of="checkpoints", where="KOSPARSE_CHECKPOINTS")
        return bucket, f"{prefix}{self.origin}/"


def fingerprint(parts: Mapping[str, Iterable[Any]]) -> str:
    """A hash of what a training is made from: bytes as they are, anything else as text, item by item."""
    digest = hashlib.sha256()
    for name in sorted(parts):
        digest.update(f"{name}\0".encode())
        for item in parts[name]:
            digest.update(item if isinstance(item, bytes) else repr(item).encode())
            digest.update(b"\0")
    return digest.hexdigest()[:24]


def _newest(names: Iterable[str]) -> list[str]:
    """Names of checkpoints, highest step first."""
    found = [name for name in names if _NAME.fullmatch(name)]
    return sorted(found, reverse=True)


def _whole(path: Path) -> bool:
    """Whether a file is there and holds what its name says."""
    return path.is_file() and _hash(path) in path.name


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
