"""Units of a sparse space: what each dimension of its vectors stands for.

Either the content morphemes of the collection, cut by the analyzer of BM25, or the word pieces of the
backbone's tokenizer, which OpenSearch can cut by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.errors import InputError
from kosparse.jsonl import read_json
from kosparse.progress import note

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_AT_ONCE = 4096
"""Texts cut at once: of all together the morphemes would not be held."""
UNITS_FILE = "units.json"
"""Names of the morphemes in the order of their ids, beside the model they belong to."""


class Units(Protocol):
    """The dimensions of a sparse space."""

    @property
    def names(self) -> Sequence[str]:
        """One name per dimension; no two are equal."""
        ...

    @property
    def special(self) -> frozenset[str]:
        """Names that stand for no text."""
        ...

    def of(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of the units of each text, in order, repeats kept, unknown ones left out."""
        ...


class Morphemes:
    """Content morphemes; a text's morphemes that are not among them are left out."""

    special: frozenset[str] = frozenset()

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._ids = {name: position for position, name in enumerate(self.names)}

    def of(self, texts: Sequence[str]) -> list[list[int]]:
        """See ``Units.of``."""
        return [self.ids(names) for names in content_morphemes_of(list(texts))]

    def ids(self, names: Iterable[str]) -> list[int]:
        """Ids of morphemes, in order, unknown ones left out."""
        return [self._ids[name] for name in names if name in self._ids]


def collection_morphemes(texts: Sequence[str], most: int) -> tuple[list[str], float]:
    """The content morphemes of a collection, sorted, and how many a text has on average, repeats counted.

    Args:
        texts: The collection.
        most: Of more morphemes, so many that stand in the most texts; of equals the first.
    """
    having, length = Counter[str](), 0
    for start in range(0, len(texts), _AT_ONCE):
        for names in content_morphemes_of(texts[start : start + _AT_ONCE]):
            having.update(set(names))
            length += len(names)
    kept = sorted(having, key=lambda name: (-having[name], name))[:most]
    if len(kept) < len(having):
        note(f"{len(having) - len(kept):,} of {len(having):,} morphemes, those in the fewest texts, are no dimension")
    return sorted(kept), length / max(len(texts), 1)


class Pieces:
    """Word pieces of a tokenizer; no special token is added to a text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        self.names = [name for name, _ in sorted(vocabulary.items(), key=lambda item: item[1])]
        added = tokenizer.get_added_tokens_decoder().values()
        self.special = frozenset(token.content for token in added if token.special)

    def of(self, texts: Sequence[str]) -> list[list[int]]:
        """See ``Units.of``."""
        return [found.ids for found in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def load_units(folder: Path) -> Units:
    """The units of a backbone or model folder: its morphemes where it has some, else its tokenizer's pieces.

    Raises:
        InputError: It has neither.
    """
    if (folder / UNITS_FILE).is_file():
        return Morphemes(read_json(folder / UNITS_FILE))
    return Pieces(_tokenizer(folder / "tokenizer.json"))


def _tokenizer(path: Path) -> Tokenizer:
    """Without truncation or padding."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises bare Exception
        raise InputError(
            f"not a tokenizer: {error}",
            where=str(path),
            fix="Use a backbone with a fast tokenizer (tokenizer.json).",
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
