"""Where a file is, and what its user calls it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Location:
    """A file or folder on this machine, and the name its user knows it by."""

    path: Path
    name: str

    def __truediv__(self, child: str) -> Location:
        return Location(self.path / child, f"{self.name.rstrip('/')}/{child}")
