"""A few documents and queries to look at: what the model adds, where it wins and where it loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from kosparse.evaluation.judgements import Judgements
from kosparse.evaluation.metrics import PRIMARY
from kosparse.evaluation.ranking import Run

_TERMS = 24
_EXCERPT = 280


@dataclass(frozen=True)
class Weights:
    """Everything needed to explain a score."""

    queries: csr_matrix
    """Shape [queries, terms], in the order of the judgements."""
    passages: csr_matrix
    """Shape [passages, terms]."""
    terms: Sequence[str]
    """The readable form of each term."""
    document_ids: Sequence[str]
    """The document of each passage."""
    texts: Sequence[str]
    """The text of each passage."""


def choose(
    weights: Weights,
    judgements: Judgements,
    values: Mapping[str, Mapping[str, Mapping[str, float]]],
    runs: Mapping[str, Run],
    count: int = 8,
    champion: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Pick passages evenly over the collection, and the queries that gained and lost most.

    Args:
        weights: Of queries and passages under the new model.
        judgements: The queries.
        values: Metrics by system, metric and query.
        runs: Rankings by system.
        count: Of each kind.
        champion: The champion's primary metric by query id.

    Returns:
        At most ``count`` each of ``documents``, ``queries``, ``wins`` and ``losses`` (against BM25), ``gained`` and
        ``lost`` (against the champion).
    """
    ours = values["sparse"][PRIMARY]
    ordered, wins, losses = _changes(ours, values["bm25_kiwi"][PRIMARY], count)
    _, gained, lost = _changes(ours, champion or {}, count)
    rows = {query_id: row for row, query_id in enumerate(judgements.queries)}

    def explain(query_ids: Sequence[str]) -> list[dict[str, Any]]:
        found = [_query(weights, judgements, values, runs, name, rows[name]) for name in query_ids]
        for name, row in zip(query_ids, found, strict=True):
            row["champion"] = (champion or {}).get(name)
        return found

    return {
        "documents": [_passage(weights, row) for row in _evenly(len(weights.texts), count)],
        "queries": explain([ordered[at] for at in _evenly(len(ordered), count)]),
        "wins": explain(wins),
        "losses": explain(losses),
        "gained": explain(gained),
        "lost": explain(lost),
    }


def _changes(
    ours: Mapping[str, float], theirs: Mapping[str, float], count: int
) -> tuple[list[str], list[str], list[str]]:
    """Queries measured on both, from the most gained to the most lost; those that gained most; that lost most."""
    gain = {query_id: ours[query_id] - theirs[query_id] for query_id in ours if query_id in theirs}
    ordered = sorted(gain, key=lambda query_id: (-gain[query_id], query_id))
    wins = [query_id for query_id in ordered if gain[query_id] > 0][:count]
    losses = [query_id for query_id in reversed(ordered) if gain[query_id] < 0][:count]
    return ordered, wins, losses


def top_terms(row: csr_matrix, terms: Sequence[str], text: str = "", count: int = _TERMS) -> list[dict[str, Any]]:
    """The heaviest terms of one vector, shape [1, terms]; ``in_text`` says that the text holds the term."""
    order = np.lexsort((row.indices, -row.data))[:count]
    folded = text.casefold()
    return [
        {
            "term": terms[row.indices[at]],
            "weight": round(float(row.data[at]), 3),
            "in_text": terms[row.indices[at]].casefold() in folded,
        }
        for at in order
    ]


def _passage(weights: Weights, row: int) -> dict[str, Any]:
    text = weights.texts[row]
    return {
        "document_id": weights.document_ids[row],
        "text": _excerpt(text),
        "active_dims": int(weights.passages[row].nnz),
        "terms": top_terms(weights.passages[row], weights.terms, text),
    }


def _query(
    weights: Weights,
    judgements: Judgements,
    values: Mapping[str, Mapping[str, Mapping[str, float]]],
    runs: Mapping[str, Run],
    query_id: str,
    row: int,
) -> dict[str, Any]:
    relevant = [document for document, grade in judgements.qrels[query_id].items() if grade > 0]
    query = weights.queries[row]
    first = runs["sparse"].get(query_id, [])
    return {
        "query": judgements.queries[query_id],
        "terms": top_terms(query, weights.terms, judgements.queries[query_id]),
        "relevant": [_scored(weights, query, document) for document in relevant[:2]],
        "first": _scored(weights, query, first[0][0]) if first else None,
        "ranks": {system: _rank(run.get(query_id, []), set(relevant)) for system, run in runs.items()},
        PRIMARY: {system: round(metrics[PRIMARY][query_id], 4) for system, metrics in values.items()},
    }


def _scored(weights: Weights, query: csr_matrix, document_id: str) -> dict[str, Any]:
    """A document's best passage for a query, and the terms that made its score."""
    rows = [row for row, each in enumerate(weights.document_ids) if each == document_id]
    products = weights.passages[rows].multiply(query).tocsr()
    best = int(np.argmax(np.asarray(products.sum(axis=1)).ravel()))
    text = weights.texts[rows[best]]
    return {
        "document_id": document_id,
        "text": _excerpt(text),
        "score": round(float(products[best].sum()), 3),
        "terms": top_terms(products[best], weights.terms, text, count=8),
    }


def _rank(ranking: Sequence[tuple[str, float]], relevant: set[str]) -> int | None:
    """Rank of the first relevant document from 1; None when it was not returned."""
    return next((rank for rank, (document, _) in enumerate(ranking, 1) if document in relevant), None)


def _evenly(total: int, count: int) -> list[int]:
    return sorted({int(at) for at in np.linspace(0, total - 1, min(count, total))}) if total else []


def _excerpt(text: str) -> str:
    """The start of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1].rstrip() + "…"
