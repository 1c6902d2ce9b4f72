"""trec_eval's metrics, computed by trec_eval's own code (``ir_measures`` over ``pytrec_eval``).

Every judged query counts: one for which nothing was found scores 0. Ties are broken as trec_eval
breaks them, by document id from high to low, so that anyone can recompute the numbers from the run files.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kosparse.evaluation.ranking import Run

Qrels = Mapping[str, Mapping[str, int]]
"""Relevance of documents by query id and document id."""

PRIMARY = "ndcg@10"
"""The metric that decides."""
METRICS = ("ndcg@10", "mrr@10", "recall@100", "map")


def evaluate_run(qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    """Score each judged query: ``{metric: {query id: value in [0, 1]}}``, queries in the order of ``qrels``.

    Queries of the run without judgements are left out, as trec_eval does.
    """
    from ir_measures import AP, RR, R, nDCG
    from ir_measures import pytrec_eval as trec

    judged = {query_id: dict(documents) for query_id, documents in qrels.items()}
    full = {query_id: dict(run.get(query_id, ())) for query_id in judged}
    top = {query_id: _top_10(scores) for query_id, scores in full.items()}
    values: dict[str, dict[str, float]] = {name: dict.fromkeys(judged, 0.0) for name in METRICS}
    names = {str(nDCG @ 10): "ndcg@10", str(R @ 100): "recall@100", str(AP): "map", str(RR): "mrr@10"}
    for measures, scores in (([nDCG @ 10, R @ 100, AP], full), ([RR], top)):
        for found in trec.iter_calc(measures, judged, scores):
            values[names[str(found.measure)]][found.query_id] = float(found.value)
    return values


def mean(values: Mapping[str, float]) -> float:
    """Average over queries; 0 for none."""
    return float(np.mean(list(values.values()))) if values else 0.0


def _top_10(scores: Mapping[str, float]) -> dict[str, float]:
    """The ten best in trec_eval's order, which compares scores in single precision."""
    ordered = sorted(scores.items(), key=lambda item: (np.float32(item[1]), item[0]), reverse=True)
    return dict(ordered[:10])
