"""The best match of each unit's row with any token of a text: computed once, kept where it is small enough.

Preparing the backbone, training its head and weighing the collection afterwards all need the same table, and
training a head leaves these rows alone.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kosparse.progress import track
from kosparse.sparse.states import EncoderStates

MOST_BYTES = 256_000_000
"""Of a table that is held whole and kept on disk."""


def fits(texts: int, units: int) -> bool:
    """Whether the table of so many texts and units is small enough to be held whole."""
    return texts * units * 2 <= MOST_BYTES


@torch.no_grad()
def match_units(rows: Tensor, states: EncoderStates, cache: Path | None = None) -> tuple[Tensor, Tensor]:
    """The best match of each row in each text, and the texts' mean states.

    Args:
        rows: Shape [rows, hidden].
        states: Of the texts.
        cache: Folder of encoder states, where the table may be kept; None keeps none.

    Returns:
        Shapes [texts, rows], half precision, and [texts, hidden].
    """
    kept = _path(rows, states, cache)
    if kept is not None and kept.is_file():
        with np.load(kept) as arrays:
            return torch.from_numpy(arrays["best"]), torch.from_numpy(arrays["center"])
    best = torch.empty(len(states), len(rows), dtype=torch.float16)
    center = torch.empty(len(states), rows.shape[1])
    for text in track(range(len(states)), "matching units", unit="passages"):
        tokens = states.of(text)
        best[text] = (tokens @ rows.T).amax(0).half()
        center[text] = tokens.mean(0)
    _write(kept, best, center)
    return best, center


def keep_matches(rows: Tensor, states: EncoderStates, best: Tensor, center: Tensor, cache: Path) -> None:
    """Keep what ``match_units`` would find for these rows."""
    _write(_path(rows, states, cache), best.half(), center)


def _path(rows: Tensor, states: EncoderStates, cache: Path | None) -> Path | None:
    if cache is None or not len(states) or not fits(len(states), len(rows)):
        return None
    digest = hashlib.sha256(rows.detach().contiguous().numpy().tobytes())
    digest.update(states.starts.tobytes() + states.pieces.tobytes())
    for text in (0, len(states) - 1):
        digest.update(states.of(text).numpy().tobytes())
    return cache / "matches" / f"{digest.hexdigest()[:24]}.npz"


def _write(path: Path | None, best: Tensor, center: Tensor) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.npz")
    np.savez(partial, best=best.numpy(), center=center.numpy())
    os.replace(partial, path)
