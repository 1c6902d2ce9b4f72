"""From what a caller has to passages, and from a passage to the stretch a small model is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from kosparse.corpus.morphemes import sentences
from kosparse.corpus.orders import gives_orders
from kosparse.corpus.text import hangul_syllables
from kosparse.records import Document, Passage
from kosparse.synthetic.writer import stable_number

MIN_HANGUL = 20
"""Hangul syllables below which there is nothing to ask a Korean question about."""


def excerpt(passage: Passage, characters: int) -> str:
    """The stretch of a passage that is shown to the model, the same one in every task.

    Sentences that give a model orders are left out, and those without any Hangul where others have some. What fits
    then is shown whole. Of a longer passage, its opening (which tends to name the subject) and a window of sentences
    that starts anywhere: models ask about openings too often (PosIR, 2601.08363). The place depends on the passage's
    id alone.

    Args:
        passage: The passage.
        characters: Most characters returned, about; > 0.
    """
    found = [sentence for sentence in sentences(passage.text) if not gives_orders(sentence)] or [""]
    korean = [sentence for sentence in found if hangul_syllables(sentence)] or found
    if sum(len(sentence) + 1 for sentence in korean) <= characters:
        return " ".join(korean)
    parts = [part for sentence in korean for part in _cut(sentence, characters)]
    for_opening = characters // 3
    start = _start(parts, characters - for_opening, passage.id)
    if start == 0:
        return _window(parts, characters)
    opening = _cut(parts[0], for_opening)[0]
    return f"{opening} … {_window(parts[start:], characters - len(opening))}"


def _start(parts: Sequence[str], window: int, key: str) -> int:
    """Draw the window's first sentence among those after which a full window is left."""
    left, last = 0, len(parts)
    while last > 0 and left < window:
        last -= 1
        left += len(parts[last])
    return stable_number("excerpt", key) % (last + 1)


def _window(parts: Sequence[str], characters: int) -> str:
    chosen = [parts[0]]
    for part in parts[1:]:
        if len(part) + sum(len(one) + 1 for one in chosen) > characters:
            break
        chosen.append(part)
    return " ".join(chosen)


def _cut(sentence: str, characters: int) -> list[str]:
    """Cut a sentence that is too long between words, or inside one that is too long itself."""
    pieces = [""]
    for word in sentence.split():
        for begin in range(0, len(word), characters):
            piece = word[begin : begin + characters]
            if pieces[-1] and len(pieces[-1]) + 1 + len(piece) > characters:
                pieces.append(piece)
            else:
                pieces[-1] = f"{pieces[-1]} {piece}".strip()
    return [piece for piece in pieces if piece]


def askable(passage: Passage) -> bool:
    """Whether there is enough Korean in a passage to write queries for it, beside orders to a model."""
    if not gives_orders(passage.text):
        return hangul_syllables(passage.text) >= MIN_HANGUL
    said = (sentence for sentence in sentences(passage.text) if not gives_orders(sentence))
    return sum(map(hangul_syllables, said)) >= MIN_HANGUL


def as_passages(documents: Iterable[Document | Passage | str], passage_characters: int = 1200) -> list[Passage]:
    """Passages of documents, cut as everywhere else; a bare string gets its position as id.

    Raises:
        TypeError: Something that is none of the three.
    """
    from kosparse.corpus.passages import split_document

    passages: list[Passage] = []
    for number, document in enumerate(documents):
        if isinstance(document, Passage):
            passages.append(document)
            continue
        if isinstance(document, str):
            document = Document(id=f"document-{number:06d}", text=document)
        if not isinstance(document, Document):
            raise TypeError(f"a document is a str, Document or Passage, not {type(document).__name__}")
        passages.extend(split_document(document, passage_characters))
    return passages


def by_document(passages: Iterable[Passage]) -> list[list[Passage]]:
    """Group passages that follow each other by their document."""
    return [list(group) for _, group in groupby(passages, key=lambda passage: passage.document_id)]
