"""Rankings: what a system returns for each query, and how scores become one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kosparse.errors import InputError
from kosparse.jsonl import read_lines, write_lines

Ranking = list[tuple[str, float]]
"""``(document id, score)``, best first."""
Run = dict[str, Ranking]
"""One ranking per query id; an empty one is a query for which nothing was found."""

_BLOCK, _SCORES = 128, 32_000_000
"""Queries scored at once: at most so many, and so few that their scores in float32 stay below 128 MB."""


def best(scores: NDArray[np.float32], depth: int, above: float = -np.inf) -> NDArray[np.intp]:
    """Positions of the ``depth`` highest scores over ``above``, best first; ties in position order."""
    found = np.flatnonzero(scores > above)
    if len(found) > depth > 0:
        floor = np.partition(scores[found], -depth)[-depth]
        found = found[scores[found] >= floor]
    return found[np.argsort(-scores[found], kind="stable")][:depth]


def blocks(queries: int, passages: int) -> Iterator[slice]:
    """Slices of so many queries, small enough for their scores over all passages to be held."""
    size = max(1, min(_BLOCK, _SCORES // max(passages, 1)))
    for start in range(0, queries, size):
        yield slice(start, min(start + size, queries))


class BestPassage:
    """Turns passage scores into document scores: a document scores as its best passage.

    Args:
        document_ids: The document of each passage, in the order of the score columns.
    """

    def __init__(self, document_ids: Sequence[str]) -> None:
        self.ids, codes = np.unique(np.asarray(document_ids, dtype=object), return_inverse=True)
        self._order = np.argsort(codes, kind="stable")
        self._starts = np.searchsorted(codes[self._order], np.arange(len(self.ids)))

    def __call__(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Shape [queries, passages] to [queries, documents], documents in the order of ``ids``."""
        if len(self._starts) == len(self._order):
            return scores[:, self._order]
        return np.maximum.reduceat(scores[:, self._order], self._starts, axis=1)


def rank(
    query_ids: Sequence[str],
    document_ids: Sequence[str],
    score: Callable[[slice], NDArray[np.float32]],
    depth: int,
    above: float = -np.inf,
) -> Run:
    """Rank documents by their best passage, for blocks of queries.

    Args:
        query_ids: The queries, in the order ``score`` counts them.
        document_ids: The document of each passage.
        score: Given a slice of the queries, their passage scores: shape [queries in slice, passages].
        depth: Documents kept per query.
        above: Scores up to this one are not results: 0 for lexical and sparse systems.
    """
    if not len(document_ids):
        return {query_id: [] for query_id in query_ids}
    to_documents = BestPassage(document_ids)
    run: Run = {}
    for block in blocks(len(query_ids), len(document_ids)):
        for query_id, row in zip(query_ids[block], to_documents(score(block)), strict=True):
            run[query_id] = [(to_documents.ids[at], float(row[at])) for at in best(row, depth, above)]
    return run


def write_trec(path: Path, run: Mapping[str, Ranking], system: str) -> None:
    """Write a TREC run file: ``query Q0 document rank score system``. Spaces inside ids become ``_``."""

    def lines() -> Iterator[str]:
        for query_id, ranking in run.items():
            for position, (document_id, score) in enumerate(ranking, 1):
                yield f"{_word(query_id)} Q0 {_word(document_id)} {position} {score:.9g} {system}"

    write_lines(path, lines())


def read_trec(path: Path) -> Run:
    """Read a TREC run file, best first by score.

    Raises:
        InputError: A line has not six columns, its score is no number, or a document stands twice for a query.
    """
    run: dict[str, dict[str, float]] = {}
    for number, line in read_lines(path):
        columns = line.split()
        try:
            query_id, _, document_id, _, score, _ = columns
            value = float(score)
        except ValueError as error:
            raise _bad_line(path, number, f"not a TREC run line: {line.strip()[:80]!r}") from error
        if run.setdefault(query_id, {}).setdefault(document_id, value) is not value:
            raise _bad_line(path, number, f"document {document_id!r} stands twice for query {query_id!r}")
    return {query_id: sorted(scores.items(), key=lambda item: (-item[1], item[0])) for query_id, scores in run.items()}


def _bad_line(path: Path, number: int, what: str) -> InputError:
    return InputError(what, where=f"{path}:{number}", fix="Six columns: query Q0 document rank score system.")


def _word(text: str) -> str:
    return "_".join(text.split()) or "_"
