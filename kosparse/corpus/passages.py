"""Cut documents into passages at sentence ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kosparse.corpus.morphemes import sentences
from kosparse.records import Document, Passage

_BREAK = re.compile(r"\s+")


def split_document(document: Document, passage_characters: int = 1200) -> list[Passage]:
    """Cut one document into passages of at most ``passage_characters``.

    Cuts fall at line and sentence ends; a sentence longer than a passage is cut at its last blank, or
    anywhere when it has none. Together the passages hold every non-blank character, in order. The
    title stands in the first.
    """
    return [
        Passage(id=f"{document.id}#{position}", document_id=document.id, position=position, text=text)
        for position, text in enumerate(_pack(document.searched, passage_characters))
    ]


def _pack(text: str, limit: int) -> Iterator[str]:
    """Fill each passage with as many whole pieces as fit."""
    if len(text.strip()) <= limit:
        yield text.strip()
        return
    held = ""
    for separator, piece in _pieces(text, limit):
        if held and len(held) + len(separator) + len(piece) > limit:
            yield held
            held = ""
        held = held + separator + piece if held else piece
    if held:
        yield held


def _pieces(text: str, limit: int) -> Iterator[tuple[str, str]]:
    """(what separates it from the piece before, piece) with pieces no longer than ``limit``."""
    for line in text.splitlines():
        separator = "\n"
        for piece in _line_pieces(line.strip(), limit):
            yield separator, piece
            separator = " "


def _line_pieces(line: str, limit: int) -> Iterator[str]:
    if len(line) <= limit:
        if line:
            yield line
        return
    for sentence in sentences(line):
        yield from _cut(sentence, limit)


def _cut(sentence: str, limit: int) -> Iterator[str]:
    """Cut what has no sentence end in reach."""
    while len(sentence) > limit:
        blanks = [match.start() for match in _BREAK.finditer(sentence, 1, limit + 1)]
        end = blanks[-1] if blanks else limit
        yield sentence[:end].rstrip()
        sentence = sentence[end:].lstrip()
    if sentence:
        yield sentence
