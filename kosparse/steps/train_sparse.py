"""Train the sparse encoder on what the teachers and the synthetic pairs say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from kosparse.config import TrainSparseConfig
from kosparse.errors import KosparseError
from kosparse.jsonl import read_json, read_records, write_lines
from kosparse.ports import CurvePoint, Tracker
from kosparse.progress import note
from kosparse.records import SynonymEntry
from kosparse.settings import settings
from kosparse.steps.runtime import InPath, Metrics, OutPath, step
from kosparse.steps.train_nodes import train_on_nodes

if TYPE_CHECKING:
    from kosparse.sparse.checkpoints import Checkpoints
    from kosparse.sparse.closed_form import DenseTeacher
    from kosparse.sparse.curves import Curves
    from kosparse.sparse.training_set import TrainingSet

_STEP = "train_sparse"
_PATIENCE = 5.0
"""Seconds a training waits for the tracking server."""


@step
def run(
    config: TrainSparseConfig,
    *,
    training_set: InPath,
    backbone: InPath,
    idf: InPath,
    trends: InPath,
    dictionary: InPath,
    model: OutPath,
    history: OutPath,
) -> Metrics:
    """Train, keep the best state, and write a sentence-transformers folder; interrupted, go on where it was."""
    if config.nodes > 1:
        inputs = {"training_set": training_set, "backbone": backbone, "idf": idf, "trends": trends}
        outputs = {"model": model, "history": history}
        return train_on_nodes(config, {**inputs, "dictionary": dictionary}, outputs)
    from kosparse.sparse.distributed import process_group
    from kosparse.sparse.fit import fit
    from kosparse.sparse.training_set import TrainingSet

    data = TrainingSet.load(training_set)
    with process_group(), live_curves(config.curve_seconds) as curves:
        trained, wishing = fit(
            config,
            data,
            backbone,
            model,
            idf=read_json(idf),
            boosts=read_json(trends)["terms"],
            entries=list(read_records(dictionary, SynonymEntry)),
            cache=settings().cache / "states",
            teacher=dense_teacher(data) if config.closed_form else None,
            checkpoints=open_checkpoints(),
            curves=curves,
        )
        if not settings().rank:
            write_lines(history, (json.dumps(row) for row in trained.history))
    first, best = trained.history[0], trained.kept
    return {
        "steps": float(trained.steps),
        "validation_kl_at_start": first["validation_kl"],
        "validation_kl": best["validation_kl"],
        "validation_ndcg@10": best["validation_ndcg@10"],
        "active_terms": trained.active_dims,
        "passages_with_dictionary_terms": float(wishing),
        **trained.judged,
    }


def open_checkpoints() -> Checkpoints:
    """Where the environment wants them: on this machine, and in the object store where there is one."""
    from kosparse.sparse.checkpoints import Checkpoints

    current, folder = settings(), settings().cache / "checkpoints"
    if not current.s3_endpoint or not current.checkpoints:
        return Checkpoints(folder)
    from kosparse.adapters.store_s3 import open_store

    return Checkpoints(folder, open_store(), current.checkpoints)


@contextmanager
def live_curves(seconds: float) -> Iterator[Curves]:
    """Curves that the tracking server draws too, where there is one; a training that fails is marked so there.

    Args:
        seconds: Between two points.
    """
    from kosparse.sparse.curves import Curves

    current = settings()
    if not current.mlflow_uri or current.rank:
        yield Curves(seconds)
        return

    @cache
    def tracker() -> Tracker:
        from kosparse.adapters.tracking_mlflow import MlflowTracker

        return MlflowTracker(current.mlflow_uri, patience=_PATIENCE)

    def send(points: Sequence[CurvePoint]) -> None:
        tracker().log_points(current.run_id, _STEP, points)

    try:
        yield Curves(seconds, send)
    except BaseException:
        try:
            tracker().fail_step(current.run_id, _STEP)
        except KosparseError as error:
            note(f"the failure is not marked on the tracking server: {error.what}")
        raise


def dense_teacher(data: TrainingSet) -> DenseTeacher:
    """What the embedder says of the training queries and passages; mostly from its cache."""
    from kosparse.adapters.embedder import open_embedder
    from kosparse.sparse.closed_form import DenseTeacher

    embedder = open_embedder()
    return DenseTeacher(
        queries=embedder.encode([query.text for query in data.queries], "query"),
        passages=embedder.encode([passage.text for passage in data.passages], "passage"),
    )
