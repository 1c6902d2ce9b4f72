"""Where BM25 places each query's own passage, in memory that does not grow with the collection.

An index of the collection holds what any query may ask for. Here the queries are known: of each passage only the counts
of their terms are kept, in blocks on disk. The blocks are read twice: for the scores of the own passages, and for how
many passages score higher.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy.sparse import csr_matrix

from kosparse.evaluation.bm25 import idf, saturation

_QUERIES = 4096
"""Scored at a time."""
_ROUNDING = 1e-9
"""Relative difference up to which two scores are the same."""


class TermCounts:
    """How often each passage has the terms of some queries.

    Args:
        queries: Tokens of every query that ranks will be asked for.
    """

    def __init__(self, queries: Iterable[Sequence[str]]) -> None:
        self._terms: dict[str, int] = {}
        for tokens in queries:
            for token in tokens:
                self._terms.setdefault(token, len(self._terms))
        self._document_frequency = np.zeros(len(self._terms))
        self._file = tempfile.TemporaryFile()
        self._blocks = self._length = self._texts = 0

    def __enter__(self) -> TermCounts:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, token_lists: Sequence[Sequence[str]]) -> None:
        """Put away the next passages, a block at a time; they are numbered from 0 on."""
        counts = self._counted(token_lists)
        lengths = np.array([len(tokens) for tokens in token_lists], dtype=np.float64)
        for array in (counts.data, counts.indices, counts.indptr, lengths):
            np.save(self._file, array)
        self._document_frequency += np.bincount(counts.indices, minlength=len(self._terms))
        self._blocks += 1
        self._texts += len(token_lists)
        self._length += int(lengths.sum())

    def ranks(self, queries: Sequence[Sequence[str]], own: Sequence[int]) -> list[int | None]:
        """Place of each query's own passage among all of them.

        Args:
            queries: Of those given at the start.
            own: Number of each one's passage.

        Returns:
            From 1, of equal scores the best place; None where the passage has none of the query's terms.
        """
        asked = self._counted(queries).astype(np.float64)
        asked.data *= idf(self._document_frequency, self._texts)[asked.indices]
        numbers = np.asarray(own, dtype=np.int64)
        scores = np.zeros(len(queries))
        for start, block in self._weights():
            rows = np.flatnonzero((numbers >= start) & (numbers < start + block.shape[0]))
            scores[rows] = asked[rows].multiply(block[numbers[rows] - start]).sum(axis=1).A1
        higher = self._higher(asked, scores * (1 + _ROUNDING))
        return [int(above) + 1 if score > 0 else None for above, score in zip(higher, scores, strict=True)]

    def _higher(self, asked: csr_matrix, scores: np.ndarray) -> np.ndarray:
        """How many passages score higher than given, for each query."""
        above = np.zeros(len(scores), dtype=np.int64)
        for _, block in self._weights():
            by_term = block.T.tocsr()
            for start in range(0, len(scores), _QUERIES):
                found = asked[start : start + _QUERIES] @ by_term
                rows = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
                won = rows[found.data > scores[start + rows]]
                above[start : start + _QUERIES] += np.bincount(won, minlength=found.shape[0])
        return above

    def _counted(self, token_lists: Sequence[Sequence[str]]) -> csr_matrix:
        """Counts of the terms that are known, shape [texts, terms]."""
        data: list[int] = []
        columns: list[int] = []
        starts = [0]
        for tokens in token_lists:
            counts = Counter(column for token in tokens if (column := self._terms.get(token)) is not None)
            columns += counts.keys()
            data += counts.values()
            starts.append(len(columns))
        parts = (np.array(data, np.float32), np.array(columns, np.int32), np.array(starts, np.int32))
        return csr_matrix(parts, shape=(len(token_lists), len(self._terms)))

    def _weights(self) -> Iterator[tuple[int, csr_matrix]]:
        """Number of each block's first passage, and what BM25 makes of its counts but for the idf."""
        self._file.seek(0)
        start = 0
        for _ in range(self._blocks):
            data, columns, starts, lengths = (np.load(self._file) for _ in range(4))
            own_length = np.repeat(lengths, np.diff(starts))
            weights = saturation(data, own_length, self._length / self._texts)
            yield start, csr_matrix((weights, columns, starts), shape=(len(lengths), len(self._terms)))
            start += len(lengths)
