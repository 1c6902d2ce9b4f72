"""What the nodes of one training read and leave, in the object store.

``<address>/inputs/<name>`` is what the step was given, ``<address>/outputs/<name>`` what the first node wrote; files
and folders alike. Who is allowed to read them is the store's business: no credential is among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kosparse.errors import InputError, KosparseError
from kosparse.ports import ObjectStore, bucket_and_prefix
from kosparse.progress import note

Part = Literal["inputs", "outputs"]


@dataclass(frozen=True)
class NodeData:
    """Of one training.

    Args:
        store: Where it is kept.
        address: ``s3://bucket/prefix`` there.
    """

    store: ObjectStore
    address: str

    def give(self, part: Part, paths: Mapping[str, Path]) -> None:
        """Put files and folders by name, in their order: who finds the last one finds all.

        Raises:
            ConfigError: The address is none.
            ServiceError: The store does not answer, or refuses us.
        """
        bucket, prefix = self._place()
        self.store.ensure_bucket(bucket)
        for name, path in paths.items():
            key = f"{prefix}{part}/{name}"
            if path.is_dir():
                self.store.mirror_folder(path, bucket, key)
            else:
                self.store.upload(path, bucket, key)

    def take(self, part: Part, paths: Mapping[str, Path]) -> None:
        """Get files and folders by name, each to its path.

        Raises:
            InputError: One is not there.
            ServiceError: The store does not answer, or refuses us.
        """
        bucket, prefix = self._place()
        there = self.store.list(bucket, f"{prefix}{part}/")
        for name, path in paths.items():
            key = f"{prefix}{part}/{name}"
            if key in there:
                self.store.download(bucket, key, path)
            elif any(found.startswith(f"{key}/") for found in there):
                self.store.fetch_folder(bucket, key, path)
            else:
                raise InputError(
                    f"{name} is not among the {part} of the training's nodes",
                    where=f"{self.address}/{part}",
                    fix="Run train_sparse again. Nothing but the step itself may write or delete there.",
                )

    def forget(self) -> None:
        """Remove all of it; what cannot be removed is told."""
        try:
            bucket, prefix = self._place()
            for key in self.store.list(bucket, prefix):
                self.store.delete(bucket, key)
        except KosparseError as error:
            note(f"data of the nodes stay at {self.address}: {error.what}")

    def _place(self) -> tuple[str, str]:
        return bucket_and_prefix(self.address, of="node data", where="KOSPARSE_NODE_DATA")
