"""Encoder states of many texts, computed once each, kept on disk as half precision and memory-mapped."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kosparse.errors import ResourceError
from kosparse.jsonl import read_json, write_json
from kosparse.progress import Bar
from kosparse.sparse.token_rows import TokenRows

_BATCH_TOKENS = {"cpu": 1024}
"""Padded tokens of a batch, by device: a processor is fastest where a layer's activations stay in its cache."""
_MOST_BATCH_TOKENS = 16384
"""Of any other device."""
_PARTIAL = ".partial"
"""How the name of a folder ends while it is written."""
_DAY = 86400.0
"""In seconds."""


@dataclass(frozen=True)
class EncoderStates:
    """Last hidden states of texts, one after the other."""

    values: NDArray[np.float16] | TokenRows
    """Shape [tokens of all texts, hidden]; on disk where they come from there."""
    starts: NDArray[np.int64]
    """Tokens of text i are ``starts[i]:starts[i + 1]``: shape [texts + 1]."""
    pieces: NDArray[np.int32]
    """Vocabulary ids of the tokens, special ones included: shape [tokens of all texts]."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of(self, text: int) -> Tensor:
        """States of one text: float32, shape [its tokens, hidden]."""
        return torch.from_numpy(self.values[self.starts[text] : self.starts[text + 1]].astype(np.float32))

    def pieces_of(self, text: int) -> NDArray[np.int32]:
        """Piece ids of one text: shape [its tokens]."""
        return self.pieces[self.starts[text] : self.starts[text + 1]]


def encoder_states(
    model: Any, tokenizer: Any, texts: Sequence[str], *, cache: Path, body: str, max_length: int
) -> EncoderStates:
    """States of the texts; only those the cache does not hold are computed.

    Args:
        model: A masked language model; only its encoder is used.
        tokenizer: Its tokenizer.
        texts: What to read; cut at ``max_length`` tokens.
        cache: Folder of caches.
        body: Fingerprint of the encoder's weights and tokenizer.
        max_length: In tokens, special ones included.
    """
    shelf = _Shelf(_folder(cache, body, max_length))
    keys = [_key(text) for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in shelf.places}
    if missing:
        _compute(model, tokenizer, missing, max_length, shelf.fresh())
        shelf = _Shelf(shelf.folder)
    return shelf.take(keys)


def cached_states(texts: Sequence[str], *, cache: Path, body: str, max_length: int) -> EncoderStates | None:
    """States of the texts if the cache holds all of them; arguments as for ``encoder_states``."""
    shelf = _Shelf(_folder(cache, body, max_length))
    keys = [_key(text) for text in texts]
    return shelf.take(keys) if texts and all(key in shelf.places for key in keys) else None


class _Shelf:
    """States on disk: folders that are written once, each with the states of some texts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _forget_interrupted(folder)
        self.places: dict[str, tuple[Path, int]] = {}
        for part in sorted(folder.glob("*/keys.json")):
            if part.parent.suffix == _PARTIAL:
                continue
            for row, key in enumerate(read_json(part)):
                self.places[key] = (part.parent, row)

    def fresh(self) -> Path:
        """Where the next part goes."""
        return self.folder / uuid.uuid4().hex[:16]

    def take(self, keys: Sequence[str]) -> EncoderStates:
        """States in the order of the keys, mapped from disk."""
        if not keys:
            return _NOTHING
        places = [self.places[key] for key in keys]
        parts = {part: _load(part) for part in {part for part, _ in places}}
        pieces = [parts[part].pieces_of(row) for part, row in places]
        starts = np.concatenate([[0], np.cumsum([len(ids) for ids in pieces])]).astype(np.int64)
        blocks = [
            parts[part].values[parts[part].starts[first] : parts[part].starts[last + 1]]
            for part, first, last in _stretches(places)
        ]
        return EncoderStates(blocks[0] if len(blocks) == 1 else TokenRows(blocks), starts, np.concatenate(pieces))


def _stretches(places: Sequence[tuple[Path, int]]) -> Iterator[tuple[Path, int, int]]:
    """Part, first and last row of what stands together on disk in the order it is asked for."""
    part, first = last_part, last = places[0]
    for part, row in places[1:]:
        if (part, row) != (last_part, last + 1):
            yield last_part, first, last
            first = row
        last_part, last = part, row
    yield last_part, first, last


_NOTHING = EncoderStates(np.empty((0, 0), np.float16), np.zeros(1, np.int64), np.empty(0, np.int32))


def _forget_interrupted(folder: Path) -> None:
    """Remove what processes that were killed have left: nothing was written there for a day."""
    for partial in folder.glob(f"*{_PARTIAL}"):
        try:
            written = max(path.stat().st_mtime for path in (partial, *partial.iterdir()))
        except FileNotFoundError:  # whoever writes it has finished just now
            continue
        if time.time() - written > _DAY:
            shutil.rmtree(partial, ignore_errors=True)


def _folder(cache: Path, body: str, max_length: int) -> Path:
    return cache / f"{body}-{max_length}"


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _load(part: Path) -> EncoderStates:
    values = np.load(part / "values.npy", mmap_mode="r")
    return EncoderStates(values, np.load(part / "starts.npy"), np.load(part / "pieces.npy"))


def _compute(model: Any, tokenizer: Any, missing: Mapping[str, str], max_length: int, folder: Path) -> None:
    """Write the states of keyed texts into a folder that appears only when complete."""
    pieces = [
        np.asarray(ids, dtype=np.int32)
        for ids in tokenizer(list(missing.values()), truncation=True, max_length=max_length)["input_ids"]
    ]
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in pieces])]).astype(np.int64)
    partial = folder.with_name(f"{folder.name}{_PARTIAL}")
    partial.mkdir(parents=True)
    try:
        _write(partial, model, pieces, starts, tokenizer.pad_token_id)
        write_json(partial / "keys.json", list(missing))
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write(partial: Path, model: Any, pieces: Sequence[NDArray[np.int32]], starts: NDArray[np.int64], pad: int) -> None:
    """Read the texts and write their states.

    Raises:
        ResourceError: The disk has no room for them.
    """
    shape = (int(starts[-1]), model.config.hidden_size)
    wanted, free = 2 * shape[0] * shape[1], shutil.disk_usage(partial).free
    if wanted > free:  # a file that is mapped and cannot grow ends the process without a word
        raise ResourceError(
            f"the encoder states of {len(pieces):,} texts take {wanted / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
            where=str(partial.parent),
            fix="Free disk space, set KOSPARSE_CACHE to a larger disk, or lower build_training_set.max_passages.",
        )
    values = np.lib.format.open_memmap(partial / "values.npy", mode="w+", dtype=np.float16, shape=shape)
    for rows, states in read(model, pieces, pad):
        for row, state in zip(rows, states, strict=True):
            values[starts[row] : starts[row + 1]] = state[: len(pieces[row])].half().cpu().numpy()
    values.flush()
    np.save(partial / "pieces.npy", np.concatenate(pieces))
    np.save(partial / "starts.npy", starts)


@torch.inference_mode()
def read(model: Any, pieces: Sequence[NDArray[np.int32]], pad: int) -> Iterator[tuple[list[int], Tensor]]:
    """Run the encoder over texts of like length together, longest first.

    Yields:
        Positions of the texts, and their states padded to the longest: [texts, tokens, hidden].
    """
    bar = Bar("reading", len(pieces), "texts")
    encoder = model.base_model.eval()
    most = _BATCH_TOKENS.get(encoder.device.type, _MOST_BATCH_TOKENS)
    for rows in length_groups([len(ids) for ids in pieces], most):
        longest = len(pieces[rows[0]])
        ids = torch.full((len(rows), longest), pad)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for line, row in enumerate(rows):
            ids[line, : len(pieces[row])] = torch.from_numpy(pieces[row].astype(np.int64))
            mask[line, : len(pieces[row])] = 1
        device = encoder.device
        yield rows, encoder(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state
        bar.advance(len(rows))
    bar.close()


def length_groups(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Cut texts, longest first, into groups of at most ``most`` padded tokens (at least one text each).

    >>> length_groups([2, 5, 4], 10)
    [[1, 2], [0]]
    """
    groups: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        if not groups or (len(groups[-1]) + 1) * lengths[groups[-1][0]] > most:
            groups.append([])
        groups[-1].append(row)
    return groups
