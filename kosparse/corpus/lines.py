"""The lines of a file of any size: unpacked, decoded, none longer than memory bears."""

from __future__ import annotations

import codecs
import io
import zlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from kosparse.corpus.encodings import decode, utf16_of
from kosparse.corpus.locations import Location
from kosparse.errors import InputError
from kosparse.records import Reject

STAGE = "ingest_corpus"
MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is no document; it is skipped without being held in memory."""
MAX_EXPANSION = 200
"""A file that unpacks to more times its size is a bomb: text shrinks to a third, seldom to a fiftieth."""
EXPANSION_GRACE = 64 * 1024 * 1024
"""... but for so many bytes."""

_SHOWN_CHARACTERS = 200
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_NOT_READ = {
    b"PK\x03\x04": ("a zip archive or an Office file", "Unpack it, or save the sheet as CSV."),
    b"%PDF": ("a PDF", "Turn it into text first: pdftotext."),
    b"BZh": ("bzip2-compressed", "bunzip2 it, or use gzip or zstd."),
    b"\xfd7zXZ": ("xz-compressed", "unxz it, or use gzip or zstd."),
}
_PACKED_AT_ONCE = 1024
"""Bytes unpacked in one go: zstd makes at most about 32 MB of them."""
_PLAIN_AT_ONCE = 1 << 16


def read_lines(file: Location, encodings: Counter[str] | None = None) -> Iterator[tuple[int, str | Reject]]:
    """Yield ``(number from 1, line)`` of each line that is not blank; a Reject for one that cannot be read.

    Reasons: ``line_too_long``, ``unknown_encoding``.

    Args:
        file: Plain, gzip or zstd; UTF-8, CP949 or EUC-KR (told line by line), or UTF-16.
        encodings: Counts lines by encoding.

    Raises:
        InputError: It is missing, unreadable, cut off, a bomb, or no text.
    """
    counted = Counter[str]() if encodings is None else encodings
    after = "utf-8"
    with open_bytes(file) as (stream, encoding):
        for number, line in _bounded(stream):
            if line.strip():
                found = _decoded(line, f"{file.name}:{number}", after)
                if isinstance(found, Reject):
                    yield number, found
                    continue
                text, told = found
                counted[encoding or told] += 1
                after = after if text.isascii() else told
                yield number, text


def read_whole(file: Location, limit: int = MAX_LINE_BYTES) -> tuple[str, str]:
    """Text and encoding of a whole small file.

    Raises:
        UnicodeDecodeError: It is in no known encoding.
        InputError: As for ``read_lines``; or it is longer than ``limit`` bytes.
    """
    with open_bytes(file) as (stream, encoding):
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise InputError(f"more than {limit:,} bytes", where=file.name, fix="Cut it into several documents.")
    text, told = decode(content)
    return text, encoding or told


@contextmanager
def open_bytes(file: Location) -> Iterator[tuple[BinaryIO, str | None]]:
    """Open a file's content as UTF-8 or unknown bytes; the name of its encoding where the whole file shows it."""
    require(file)
    if file.path.is_dir():
        raise InputError("this is a folder, a file is needed", where=file.name, fix="Name the file in it.")
    if not file.path.is_file():
        raise InputError("this is no regular file", where=file.name, fix="Write the content to a file first.")
    try:
        with open(file.path, "rb") as raw:
            stream = _unpacked(raw, file)
            encoding = utf16_of(stream.peek(_PLAIN_AT_ONCE)[:4096])
            yield (_buffered(_AsUtf8(stream, encoding)) if encoding else stream), encoding
    except OSError as error:
        raise unreadable(file, error) from error


def require(location: Location) -> None:
    """Refuse what is not there."""
    try:
        if location.path.exists():
            return
    except OSError as error:
        raise unreadable(location, error) from error
    raise InputError(
        "there is no such file or folder",
        where=location.name,
        fix="Give CORPUS a folder of documents, or a .jsonl, .csv, .tsv or .parquet file (docs/own-corpus.md).",
    )


def unreadable(file: Location, error: Exception) -> InputError:
    """What to say of a file that the system does not let us read."""
    return InputError(f"cannot read: {error}", where=file.name, fix="Check the path and its permissions.")


def expands(file: Location) -> InputError:
    """What to say of a file that unpacks to too much."""
    return InputError(
        f"the file unpacks to more than {MAX_EXPANSION} times its size",
        where=file.name,
        fix="If it is no zip bomb, unpack it yourself and give the plain file.",
    )


def reject(reason: str, detail: str, where: str, line: bytes | str) -> Reject:
    """A reject that shows the start of its line."""
    shown = line[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace") if isinstance(line, bytes) else line
    return Reject(stage=STAGE, reason=reason, detail=detail, where=where, row={"line": shown[:_SHOWN_CHARACTERS]})


def _bounded(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines from 1; one longer than the limit comes cut, one byte over it."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        yield number, line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES + 1)


def _decoded(line: bytes, where: str, after: str) -> tuple[str, str] | Reject:
    if len(line) > MAX_LINE_BYTES:
        return reject("line_too_long", f"more than {MAX_LINE_BYTES:,} bytes", where, line)
    try:
        return decode(line, after)
    except UnicodeDecodeError as error:
        return reject("unknown_encoding", f"neither UTF-8 nor CP949: {error.reason}", where, line)


def _unpacked(raw: BinaryIO, file: Location) -> io.BufferedReader:
    start = raw.read(8)
    raw.seek(0)
    for magic, (what, fix) in _NOT_READ.items():
        if start.startswith(magic):
            raise InputError(f"the file is {what}", where=file.name, fix=fix)
    if start.startswith((_GZIP, _ZSTD)):
        return _buffered(_Unpacked(raw, file, gzip=start.startswith(_GZIP)))
    return cast(io.BufferedReader, raw)


def _buffered(raw: io.RawIOBase) -> io.BufferedReader:
    return io.BufferedReader(raw, _PLAIN_AT_ONCE)


class _Made(io.RawIOBase):
    """A stream of what ``_more`` makes, ``b""`` at its end."""

    _held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._held:
            self._held = memoryview(self._more())
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    @abstractmethod
    def _more(self) -> bytes:
        """The next bytes."""


class _Unpacked(_Made):
    """What a gzip or zstd file holds, all its members in a row."""

    def __init__(self, raw: BinaryIO, file: Location, *, gzip: bool) -> None:
        self._raw, self._file, self._gzip = raw, file, gzip
        self._inflater = self._new()
        self._out = 0

    def _new(self) -> Any:
        return zlib.decompressobj(wbits=31) if self._gzip else zstandard.ZstdDecompressor().decompressobj()

    def _more(self) -> bytes:
        made = b""
        while not made and (packed := self._packed()):
            try:
                made = self._inflater.decompress(packed)
            except (zlib.error, zstandard.ZstdError) as error:
                raise self._damaged(f"the compressed file is damaged: {error}") from error
        self._out += len(made)
        if self._out > max(EXPANSION_GRACE, MAX_EXPANSION * self._raw.tell()):
            raise expands(self._file)
        return made

    def _packed(self) -> bytes:
        """The next packed bytes; a new member begins where one has ended."""
        if not self._inflater.eof:
            if packed := self._raw.read(_PACKED_AT_ONCE):
                return packed
            raise self._damaged(f"the compressed file is cut off, after {self._out:,} bytes of content")
        rest = (self._inflater.unused_data or self._raw.read(_PACKED_AT_ONCE)).lstrip(b"\0")
        if rest:
            self._inflater = self._new()
        return cast(bytes, rest)

    def _damaged(self, what: str) -> InputError:
        return InputError(what, where=self._file.name, fix="Copy the file again, and compare its size with the source.")


class _AsUtf8(_Made):
    """UTF-16 in, UTF-8 out; half a character becomes U+FFFD."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")

    def _more(self) -> bytes:
        while content := self._stream.read(_PLAIN_AT_ONCE):
            if text := self._decoder.decode(content):
                return text.encode()
        return self._decoder.decode(b"", final=True).encode()


def suffix_of(path: Path) -> str:
    """The ending that tells a file's format, ``.gz`` and ``.zst`` left off, lower case.

    >>> suffix_of(Path("a/B.JSONL.gz")), suffix_of(Path("notes.txt")), suffix_of(Path("corpus"))
    ('.jsonl', '.txt', '')
    """
    name = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    return Path(name).suffix
