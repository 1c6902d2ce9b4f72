"""``results.json``: every number of an evaluation, with what it was measured on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from kosparse.errors import InputError
from kosparse.evaluation.contamination import Contamination
from kosparse.evaluation.efficiency import Efficiency
from kosparse.evaluation.judgements import Judgements
from kosparse.evaluation.metrics import METRICS, PRIMARY, evaluate_run, mean
from kosparse.evaluation.pruning import PruningPoint
from kosparse.evaluation.ranking import write_trec
from kosparse.evaluation.significance import Paired, bootstrap_interval, holm, paired
from kosparse.evaluation.slices import Slice
from kosparse.evaluation.systems import System
from kosparse.jsonl import read_json, write_json, write_records

BASELINE = "bm25_kiwi"

PerQuery = dict[str, dict[str, dict[str, float]]]
"""Values by system, metric and query id."""


class SystemResult(BaseModel):
    """One row of the results table."""

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    """95 % bootstrap interval over queries, by metric."""
    empty_rankings: int
    """Queries for which nothing was found; they count as 0."""
    efficiency: Efficiency


class Comparison(BaseModel):
    """Is one system better than the baseline on the primary metric."""

    system: str
    baseline: str
    metric: str
    difference: float
    interval: tuple[float, float]
    """95 % bootstrap interval of the paired difference."""
    p: float
    """Two-sided, paired randomisation."""
    p_corrected: float
    """Holm-corrected over all comparisons with this baseline."""
    better: int
    worse: int
    """Queries that gain and that lose."""


class AgainstChampion(BaseModel):
    """The new model beside the registered one in use, over the queries that both were measured on."""

    version: str
    queries: int
    """Measured on both, with the same judgements."""
    means: dict[str, tuple[float, float]]
    """The champion's and the new model's mean, by metric."""
    difference: Paired | None
    """New less champion on the primary metric; None where no query is shared."""


class Results(BaseModel):
    """Everything ``evaluate`` found."""

    judgements: str
    """``real``, or ``held-out synthetic`` where the collection has no real queries."""
    split: str
    queries: int
    qrels: int
    documents: int
    passages: int
    left_out: dict[str, int]
    """Judgements that could not be used, by reason."""
    primary: str = PRIMARY
    depth: int
    fusion_weight: float
    systems: dict[str, SystemResult]
    comparisons: list[Comparison]
    slices: list[Slice]
    """Every kind of query, the sparse model beside the baseline."""
    pruning: list[PruningPoint]
    contamination: Contamination
    champion: AgainstChampion | None = None
    """None where nothing was the champion when the run began."""
    model_sha256: str
    seconds: float


class QueryResult(BaseModel):
    """One line of ``per_query.jsonl``."""

    query_id: str
    query: str
    relevant: dict[str, int]
    systems: dict[str, dict[str, float]]
    """Metrics by system."""
    first: dict[str, str]
    """The document each system put first."""


def per_query_values(judgements: Judgements, systems: Sequence[System]) -> PerQuery:
    """Score every system on every query."""
    return {system.name: evaluate_run(judgements.qrels, system.run) for system in systems}


def system_results(systems: Sequence[System], values: PerQuery, seed: int) -> dict[str, SystemResult]:
    """Aggregate per-query values, with intervals."""
    results = {}
    for system in systems:
        metrics = values[system.name]
        results[system.name] = SystemResult(
            metrics={name: round(mean(metrics[name]), 6) for name in METRICS},
            intervals={name: bootstrap_interval(_array(metrics[name]), seed=seed) for name in METRICS},
            empty_rankings=sum(not system.run.get(query_id) for query_id in metrics[PRIMARY]),
            efficiency=system.efficiency,
        )
    return results


def compare(values: PerQuery, *, permutations: int, seed: int) -> list[Comparison]:
    """Compare every system with the baseline on the primary metric."""
    baseline = _array(values[BASELINE][PRIMARY])
    found = {
        name: paired(_array(metrics[PRIMARY]), baseline, permutations=permutations, seed=seed)
        for name, metrics in values.items()
        if name != BASELINE
    }
    corrected = holm([row.p for row in found.values()])
    return [
        Comparison(system=name, baseline=BASELINE, metric=PRIMARY, p_corrected=p, **asdict(row))
        for (name, row), p in zip(found.items(), corrected, strict=True)
    ]


def query_rows(judgements: Judgements, systems: Sequence[System], values: PerQuery) -> list[QueryResult]:
    """One row per query, in the order of the judgements."""
    return [
        QueryResult(
            query_id=query_id,
            query=text,
            relevant=judgements.qrels[query_id],
            systems={
                name: {metric: metrics[metric][query_id] for metric in METRICS} for name, metrics in values.items()
            },
            first={system.name: system.run[query_id][0][0] for system in systems if system.run.get(query_id)},
        )
        for query_id, text in judgements.queries.items()
    ]


def write_run(folder: Path, system: System) -> None:
    """Keep a system's rankings as soon as they are there: ``runs/<system>.trec``."""
    write_trec(folder / "runs" / f"{system.name}.trec", system.run, system.name)


def write_results(folder: Path, results: Results, rows: Sequence[QueryResult], examples: Mapping[str, Any]) -> None:
    """Write ``results.json``, ``per_query.jsonl`` and ``examples.json``."""
    write_records(folder / "per_query.jsonl", rows)
    write_json(folder / "examples.json", examples)
    write_json(folder / "results.json", results.model_dump(mode="json"))


def read_results(folder: Path) -> Results:
    """Read ``results.json`` of an evaluation.

    Raises:
        InputError: It is missing or not what ``evaluate`` writes.
    """
    path = folder / "results.json"
    try:
        return Results.model_validate(read_json(path))
    except ValueError as error:
        raise InputError(f"not results of evaluate: {error}", where=str(path), fix="Run evaluate again.") from error


def judgements_hash(rows: Iterable[QueryResult]) -> str:
    """The SHA-256 of what was measured on: queries with their ids and judgements, in any order."""
    judged = sorted((row.query_id, row.query, sorted(row.relevant.items())) for row in rows)
    return hashlib.sha256(json.dumps(judged, ensure_ascii=False).encode()).hexdigest()


def _array(values: Mapping[str, float]) -> np.ndarray:
    return np.array(list(values.values()), dtype=np.float64)
