"""Rows learnt without a single gradient step: what the dense teacher says of a query, divided among its units.

A dense teacher scores passage p for query q by the product of their vectors. A sparse model adds up what each
unit of the query says of the passage. So rows are wanted whose weighted mean over a query's units gives the
query's own vector: a ridge regression that starts from the units' own vectors,

    min over R of  sum_q | (sum_t idf_t R_t) / (sum_t idf_t) - v_q |^2 + ridge sum_t | R_t - R0_t |^2,

over pseudo-queries and synthetic ones. Single words are poor queries for an encoder; what they mean inside
queries of the collection is what this finds. Model2Vec and other static embeddings average contextual vectors for
the same reason; here the average is fitted to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from kosparse.ports import Vectors

Floats = NDArray[np.float32]

_RIDGE = 3.0
"""Chosen among 3, 1 and .3 on pseudo-queries and written queries of held-out documents."""
_TOLERANCE, _ITERATIONS = 1e-4, 500
_MAP_RIDGE = 1e-3
"""Of the map between the two vector spaces, relative to the mean variance of a dimension."""


@dataclass(frozen=True)
class DenseTeacher:
    """A dense encoder's view of the training queries and of passages."""

    queries: Vectors
    """Shape [queries, dimensions]."""
    passages: Vectors
    """Shape [passages, dimensions]."""


def fitted_rows(
    rows: Floats, units: Sequence[NDArray[np.int64]], weights: Floats, centers: Floats, teacher: DenseTeacher
) -> tuple[Floats, float]:
    """Rows whose weighted mean over a query's units points where the teacher's query vector points.

    Args:
        rows: Where each unit starts: shape [units, hidden], in the space of ``centers``.
        units: The distinct units of each query; a query without any is left out.
        weights: Of the units on the query side, >= 0: shape [units].
        centers: Mean encoder state of each passage: shape [passages, hidden].
        teacher: Vectors of the same queries and the same passages.

    Returns:
        The rows, shape [units, hidden], and the share of the query vectors' variance that they explain; the rows as
        they are, and 0, where there is nothing to learn from: no query, or passages that are all alike.
    """
    asked = [row for row, found in enumerate(units) if weights[found].sum() > 0]
    if not asked or not len(centers) or (centers == centers[0]).all():  # one passage tells no directions apart
        return rows, 0.0
    queries = teacher.queries[asked].astype(np.float64)
    wanted = (queries - queries.mean(0)) @ _map(centers, teacher.passages).T
    mean = _mean_of_units([units[row] for row in asked], weights, len(rows))
    before = mean @ rows
    start = rows.astype(np.float64) * float((before * wanted).sum() / max((before**2).sum(), 1e-12))
    found = start + _ridge_solution(mean, wanted - mean @ start)
    left = ((wanted - mean @ found) ** 2).sum() / max((wanted**2).sum(), 1e-12)
    return found.astype(np.float32), float(1 - left)


def _map(centers: Floats, vectors: Vectors) -> NDArray[np.float64]:
    """Linear map from mean states to the teacher's passage vectors, by ridge regression: [hidden, dimensions].

    The identity, but for a factor, where the teacher is the backbone itself.
    """
    given = centers.astype(np.float64) - centers.mean(0)
    asked = vectors.astype(np.float64) - vectors.mean(0)
    product = given.T @ given
    ridge = _MAP_RIDGE * np.trace(product) / len(product)
    solved: NDArray[np.float64] = np.linalg.solve(product + ridge * np.eye(len(product)), given.T @ asked)
    return solved


def _ridge_solution(mean: csr_matrix, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """argmin over D of ``|mean D - wanted|^2 + ridge |D|^2``, by conjugate gradients, all columns at once.

    Nothing of size units x units is ever held.
    """
    residual = np.asarray(mean.T @ wanted)
    solution, direction = np.zeros_like(residual), residual.copy()
    norm = (residual**2).sum(axis=0)
    enough = _TOLERANCE**2 * np.maximum(norm, 1e-300)
    for _ in range(_ITERATIONS):
        if (norm <= enough).all():
            break
        applied = mean.T @ (mean @ direction) + _RIDGE * direction
        step = norm / np.maximum((direction * applied).sum(axis=0), 1e-300)
        solution += step * direction
        residual -= step * applied
        previous, norm = norm, (residual**2).sum(axis=0)
        direction = residual + norm / np.maximum(previous, 1e-300) * direction
    return solution


def _mean_of_units(units: Sequence[NDArray[np.int64]], weights: Floats, count: int) -> csr_matrix:
    """Each query as the weighted mean of its units: shape [queries, count]."""
    lengths = [len(found) for found in units]
    columns = np.concatenate(list(units))
    lines = np.repeat(np.arange(len(units)), lengths)
    table = csr_matrix((weights[columns].astype(np.float64), (lines, columns)), shape=(len(units), count))
    total = np.asarray(table.sum(axis=1)).ravel()
    return csr_matrix(diags(1 / np.maximum(total, 1e-9)) @ table)
