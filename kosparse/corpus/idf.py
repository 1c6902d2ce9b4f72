"""Inverse document frequency of every unit of a sparse space: the query side of an inference-free model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from kosparse.corpus.units import Units
from kosparse.errors import InputError

_BATCH = 256


def document_frequencies(texts: Iterable[str], units: Units) -> tuple[Counter[int], int]:
    """In how many texts each unit id occurs, and how many texts there are."""
    frequencies: Counter[int] = Counter()
    total = 0
    for batch in _batches(texts):
        total += len(batch)
        for found in units.of(batch):
            frequencies.update(set(found))
    return frequencies, total


def idf(frequency: int, total: int) -> float:
    """ln(1 + (N - df + 0.5) / (df + 0.5)), as in Lucene's BM25: > 0 even for a unit that is everywhere.

    >>> round(idf(1, 3), 4), round(idf(3, 3), 4)
    (0.9808, 0.1335)
    """
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))


def unit_idf(texts: Iterable[str], units: Units) -> tuple[dict[str, float], int]:
    """Weigh every unit but the special ones.

    A unit that no text holds gets the maximum, idf(0): a query word the collection lacks is rare, not
    worthless.

    Returns:
        Weight by name in the order of ids, and how many units were seen at all.

    Raises:
        InputError: There are no texts.
    """
    frequencies, total = document_frequencies(texts, units)
    if total == 0:
        raise InputError("there are no passages to count", where="passages", fix="Check the corpus.")
    plain = [(position, name) for position, name in enumerate(units.names) if name not in units.special]
    weights = {name: round(idf(frequencies[position], total), 6) for position, name in plain}
    return weights, sum(frequencies[position] > 0 for position, _ in plain)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    stream = iter(texts)
    while batch := list(islice(stream, _BATCH)):
        yield batch
