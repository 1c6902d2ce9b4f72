"""BM25 over token lists, in Lucene's form (Kamphuis et al. 2020, "Which BM25 do you mean?").

score(q, d) = sum over t in q of  ln(1 + (N - df_t + 0.5) / (df_t + 0.5)) * tf / (tf + k1 * (1 - b + b * |d| / avgdl))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from kosparse.corpus.lead import led_frequencies
from kosparse.evaluation.ranking import Ranking, best

_K1, _B = 1.2, 0.75

Values = NDArray[np.floating[Any]]


def idf(document_frequency: Values, texts: int) -> Values:
    """Weight of terms that so many of the texts have."""
    return np.log1p((texts - document_frequency + 0.5) / (document_frequency + 0.5))


def saturation(frequencies: Values, lengths: Values, mean_length: float, k1: float = _K1, b: float = _B) -> Values:
    """What term frequencies count for in texts of these lengths, in [0, 1)."""
    return frequencies / (frequencies + k1 * (1 - b + b * lengths / mean_length))


class Bm25:
    """An index in memory: a sparse matrix of term weights, built once.

    Args:
        ids: One id per text, in the order of the scores.
        token_lists: The tokens of each text; an empty list is a text that nothing finds.
        k1: Saturation of term frequency, > 0.
        b: Length normalisation in [0, 1].
        lead: Extra weight of a text's first tokens (see ``corpus.lead``); >= 0.
    """

    def __init__(
        self,
        ids: Sequence[str],
        token_lists: Sequence[Sequence[str]],
        k1: float = _K1,
        b: float = _B,
        *,
        lead: float = 0.0,
    ) -> None:
        if len(ids) != len(token_lists):
            raise ValueError(f"{len(ids)} ids but {len(token_lists)} token lists")
        self.ids = list(ids)
        self._terms: dict[str, int] = {}
        self._weights = _weights(_counts(token_lists, self._terms, lead), k1, b)

    @property
    def postings(self) -> int:
        """Number of term-text pairs in the index."""
        return int(self._weights.nnz)

    def scores(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """Score every text: shape [n], >= 0; 0 where no token is shared. A repeated token counts each time."""
        total = np.zeros(len(self.ids), dtype=np.float32)
        data, columns, starts = self._weights.data, self._weights.indices, self._weights.indptr
        for token in tokens:
            row = self._terms.get(token)
            if row is not None:
                span = slice(starts[row], starts[row + 1])
                total[columns[span]] += data[span]
        return total

    def search(self, tokens: Sequence[str], depth: int) -> Ranking:
        """Return at most ``depth`` texts with a positive score, best first; ties in index order."""
        scores = self.scores(tokens)
        return [(self.ids[position], float(scores[position])) for position in best(scores, depth, above=0.0)]


def _counts(token_lists: Sequence[Sequence[str]], terms: dict[str, int], lead: float) -> csr_matrix:
    """Term frequencies, shape [terms, texts]; fills ``terms`` with each term's row."""
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for column, tokens in enumerate(token_lists):
        for term, count in led_frequencies(tokens, lead).items():
            rows.append(terms.setdefault(term, len(terms)))
            columns.append(column)
            values.append(count)
    return csr_matrix((values, (rows, columns)), shape=(len(terms), len(token_lists)), dtype=np.float32)


def _weights(counts: csr_matrix, k1: float, b: float) -> csr_matrix:
    """Turn term frequencies into BM25 weights, same shape."""
    if not counts.nnz:
        return counts
    document_frequency = np.diff(counts.indptr)
    lengths = np.asarray(counts.sum(axis=0)).ravel()
    saturated = saturation(counts.data, lengths[counts.indices], lengths.mean(), k1, b)
    weights = np.repeat(idf(document_frequency, counts.shape[1]), document_frequency) * saturated
    return csr_matrix((weights.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)
