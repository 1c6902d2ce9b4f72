"""Rows of several arrays on disk, as if they stood one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Halves = NDArray[np.float16]


class TokenRows:
    """What memory-mapped arrays hold is copied only as far as it is asked for.

    Args:
        blocks: At least one, each of shape [rows, hidden].
    """

    def __init__(self, blocks: Sequence[Halves]) -> None:
        self.blocks = list(blocks)
        self.ends = np.cumsum([len(block) for block in blocks])
        self.shape = (int(self.ends[-1]), blocks[0].shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, wanted: slice | Sequence[int] | NDArray[np.integer[Any]]) -> Halves:
        """Copies of the rows: shape [rows, hidden]."""
        rows = np.arange(*wanted.indices(len(self))) if isinstance(wanted, slice) else np.asarray(wanted)
        found = np.empty((len(rows), self.shape[1]), np.float16)
        which = np.searchsorted(self.ends, rows, side="right")
        for number in np.unique(which):
            block, here = self.blocks[number], which == number
            found[here] = block[rows[here] - (self.ends[number] - len(block))]
        return found
