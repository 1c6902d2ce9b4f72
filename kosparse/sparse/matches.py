"""The best match of each unit's row with any token of a text: computed once, kept where it is small enough.

Preparing the backbone, training its head and weighing the collection afterwards all need the same table, and
training a head leaves these rows alone.
"""

from __future__ import annotations

import hashlib
import os
import time
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
def match_units(
    rows: Tensor, states: EncoderStates, cache: Path | None = None, device: str = "cpu"
) -> tuple[Tensor, Tensor]:
    """The best match of each row in each text, and the texts' mean states.

    Args:
        rows: Shape [rows, hidden].
        states: Of the texts.
        cache: Folder of encoder states, where matches may be kept by text; None keeps none.
        device: Where they are computed.

    Returns:
        Shapes [texts, rows], half precision, and [texts, hidden].
    """
    shelf = _shelf(rows, states, cache)
    keys = _keys(states) if shelf else []
    best, center, known = _taken(shelf, keys, rows) if shelf else _nothing(len(states), rows)
    missing = [text for text in range(len(states)) if not known[text]]
    asked = rows.to(device)
    for text in track(missing, "matching units", unit="passages"):
        tokens = states.of(text)
        best[text] = (tokens.to(asked.device) @ asked.T).amax(0).half()
        center[text] = tokens.mean(0)
    if shelf and missing:
        _put(shelf, [keys[text] for text in missing], best[missing], center[missing])
    return best, center


def keep_matches(rows: Tensor, states: EncoderStates, best: Tensor, center: Tensor, cache: Path) -> None:
    """Keep what ``match_units`` would find for these rows."""
    shelf = _shelf(rows, states, cache)
    if shelf:
        _put(shelf, _keys(states), best.half(), center)


def _shelf(rows: Tensor, states: EncoderStates, cache: Path | None) -> Path | None:
    """The folder of these rows' matches, if there is one and the table is small enough to be kept."""
    if cache is None or not len(states) or not fits(len(states), len(rows)):
        return None
    digest = hashlib.sha256(rows.detach().contiguous().numpy().tobytes()).hexdigest()
    return cache / "matches" / digest[:24]


def _keys(states: EncoderStates) -> list[str]:
    """One per text: its pieces, and the states of its first and last token, which tell encoders apart."""
    keys = []
    for text in range(len(states)):
        first, last = int(states.starts[text]), int(states.starts[text + 1]) - 1
        digest = hashlib.sha256(states.pieces_of(text).tobytes())
        digest.update(np.asarray(states.values[[first, last]]).tobytes())
        keys.append(digest.hexdigest()[:24])
    return keys


def _nothing(texts: int, rows: Tensor) -> tuple[Tensor, Tensor, list[bool]]:
    best = torch.empty(texts, len(rows), dtype=torch.float16)
    return best, torch.empty(texts, rows.shape[1]), [False] * texts


def _taken(shelf: Path, keys: list[str], rows: Tensor) -> tuple[Tensor, Tensor, list[bool]]:
    """Tables filled with what is kept, and which texts that are."""
    best, center, known = _nothing(len(keys), rows)
    wanted: dict[str, list[int]] = {}
    for text, key in enumerate(keys):
        wanted.setdefault(key, []).append(text)
    for part in sorted(shelf.glob("*.npz")):
        with np.load(part) as arrays:
            held = [(row, key) for row, key in enumerate(arrays["keys"].tolist()) if key in wanted]
            if not held:
                continue
            found, centers = torch.from_numpy(arrays["best"]), torch.from_numpy(arrays["center"])
        for row, key in held:
            for text in wanted[key]:
                best[text], center[text], known[text] = found[row], centers[row], True
    return best, center, known


def _put(shelf: Path, keys: list[str], best: Tensor, center: Tensor) -> None:
    """Write a part; it appears only when complete. Of two parts with one text the later counts."""
    shelf.mkdir(parents=True, exist_ok=True)
    name = f"{time.time_ns():020d}-{os.getpid()}"
    partial = shelf / f"{name}.partial"
    with open(partial, "wb") as file:
        np.savez(file, keys=np.array(keys), best=best.numpy(), center=center.numpy())
    os.replace(partial, shelf / f"{name}.npz")
