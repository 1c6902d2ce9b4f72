"""Encoder states of many texts, computed once, kept on disk as half precision and memory-mapped."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kosparse.progress import Bar

_BATCH_TOKENS = 4096


@dataclass(frozen=True)
class EncoderStates:
    """Last hidden states of texts, one after the other."""

    values: NDArray[np.float16]
    """Shape [tokens of all texts, hidden]."""
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
    """States of the texts, from the cache when the same body has read the same texts before.

    Args:
        model: A masked language model; only its encoder is used.
        tokenizer: Its tokenizer.
        texts: What to read; cut at ``max_length`` tokens.
        cache: Folder of caches.
        body: Fingerprint of the encoder's weights and tokenizer.
        max_length: In tokens, special ones included.
    """
    folder = cache / _key(body, max_length, texts)
    if not (folder / "starts.npy").exists():
        _compute(model, tokenizer, texts, max_length, folder)
    return EncoderStates(
        np.load(folder / "values.npy", mmap_mode="r"), np.load(folder / "starts.npy"), np.load(folder / "pieces.npy")
    )


def _key(body: str, max_length: int, texts: Sequence[str]) -> str:
    digest = hashlib.sha256(f"{body}\0{max_length}".encode())
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()[:24]


def _compute(model: Any, tokenizer: Any, texts: Sequence[str], max_length: int, folder: Path) -> None:
    """Write the arrays into a folder that appears only when complete."""
    pieces = [
        np.asarray(ids, dtype=np.int32)
        for ids in tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]
    ]
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in pieces])]).astype(np.int64)
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    shape = (int(starts[-1]), model.config.hidden_size)
    values = np.lib.format.open_memmap(partial / "values.npy", mode="w+", dtype=np.float16, shape=shape)
    for rows, states in read(model, pieces, tokenizer.pad_token_id):
        for row, state in zip(rows, states, strict=True):
            values[starts[row] : starts[row + 1]] = state[: len(pieces[row])].half().cpu().numpy()
    values.flush()
    np.save(partial / "pieces.npy", np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int32))
    np.save(partial / "starts.npy", starts)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


@torch.inference_mode()
def read(model: Any, pieces: Sequence[NDArray[np.int32]], pad: int) -> Iterator[tuple[list[int], Tensor]]:
    """Run the encoder over texts of like length together, longest first.

    Yields:
        Positions of the texts, and their states padded to the longest: [texts, tokens, hidden].
    """
    bar = Bar("reading", len(pieces), "texts")
    encoder = model.base_model.eval()
    for rows in length_groups([len(ids) for ids in pieces], _BATCH_TOKENS):
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
