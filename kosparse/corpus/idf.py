"""Inverse document frequency of every token of a vocabulary: the query side of an inference-free model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from kosparse.errors import InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_BATCH = 256


def load_tokenizer(backbone: Path) -> Tokenizer:
    """The tokenizer of a model folder, without truncation or padding.

    Raises:
        InputError: The folder has no readable tokenizer.json.
    """
    from tokenizers import Tokenizer

    path = backbone / "tokenizer.json"
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


def document_frequencies(texts: Iterable[str], tokenizer: Tokenizer) -> tuple[Counter[int], int]:
    """In how many texts each token id occurs, and how many texts there are."""
    frequencies: Counter[int] = Counter()
    total = 0
    for batch in _batches(texts):
        total += len(batch)
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            frequencies.update(set(encoding.ids))
    return frequencies, total


def idf(frequency: int, total: int) -> float:
    """ln(1 + (N - df + 0.5) / (df + 0.5)), as in Lucene's BM25: > 0 even for a token that is everywhere.

    >>> round(idf(1, 3), 4), round(idf(3, 3), 4)
    (0.9808, 0.1335)
    """
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))


def token_idf(texts: Iterable[str], tokenizer: Tokenizer) -> tuple[dict[str, float], int]:
    """Weigh every token of the vocabulary but the special ones.

    A token that no text holds gets the maximum, idf(0): a query word the collection lacks is rare, not
    worthless.

    Returns:
        Weight by token string in the order of token ids, and how many tokens were seen at all.

    Raises:
        InputError: There are no texts.
    """
    frequencies, total = document_frequencies(texts, tokenizer)
    if total == 0:
        raise InputError("there are no passages to count", where="passages", fix="Check the corpus.")
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
    vocabulary = sorted(tokenizer.get_vocab(with_added_tokens=True).items(), key=lambda item: item[1])
    weights = {
        token: round(idf(frequencies[token_id], total), 6) for token, token_id in vocabulary if token not in special
    }
    seen = sum(frequencies[token_id] > 0 for token, token_id in vocabulary if token in weights)
    return weights, seen


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    stream = iter(texts)
    while batch := list(islice(stream, _BATCH)):
        yield batch
