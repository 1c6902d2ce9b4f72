"""From a training set and a backbone to a trained model folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from kosparse.config import TrainSparseConfig
from kosparse.config.training import WHERE_IT_TRAINS
from kosparse.errors import ConfigError
from kosparse.export.hashing import folder_hash
from kosparse.records import SynonymEntry
from kosparse.sparse import distributed
from kosparse.sparse.checkpoints import Checkpoints, fingerprint
from kosparse.sparse.closed_form import DenseTeacher
from kosparse.sparse.curves import Curves
from kosparse.sparse.judged_weights import fit_to_judged
from kosparse.sparse.material import Material
from kosparse.sparse.students import open_learner
from kosparse.sparse.training import Trained, Trainer
from kosparse.sparse.training_set import TrainingSet
from kosparse.sparse.warm_start import check_activation

_INDIFFERENT = {
    "max_seconds",
    "checkpoint_seconds",
    "curve_seconds",
    "micro_batch",
    "gradient_checkpointing",
    *WHERE_IT_TRAINS,
}
"""Settings that do not change what is learnt."""


def fit(
    config: TrainSparseConfig,
    data: TrainingSet,
    backbone: Path,
    folder: Path,
    *,
    idf: Mapping[str, float],
    boosts: Mapping[str, float],
    entries: Sequence[SynonymEntry],
    cache: Path,
    teacher: DenseTeacher | None = None,
    checkpoints: Checkpoints | None = None,
    curves: Curves | None = None,
) -> tuple[Trained, int]:
    """Train and write a model folder; one over word pieces loads in plain sentence-transformers.

    Of several processes the first writes.

    Args:
        config: Settings.
        data: Queries, passages and teacher scores.
        backbone: Folder of ``prepare_backbone``.
        folder: Where the model is written.
        idf: Where the query side starts, unless the backbone is a trained model: then it keeps that model's weights.
        boosts: Factors of rising terms; likewise.
        entries: Dictionary supervision.
        cache: Folder of encoder states.
        teacher: Vectors of the queries and passages of ``data``; rows over morphemes are first fitted to them, but
            for those of a trained model.
        checkpoints: Where an interrupted training is found again.
        curves: Where what the training is doing can be seen.

    Returns:
        How training went, and how many passages the dictionary asks something of.
    """
    if distributed.processes() > 1 and config.train != "all":
        raise ConfigError(
            f"{distributed.processes()} processes cannot share the training of a head",
            where="train_sparse.train",
            fix='Set train_sparse.train="all", or start one process.',
        )
    check_activation(backbone, config.activation)
    torch.manual_seed(config.seed)
    if checkpoints is not None:
        checkpoints = checkpoints.of(_origin(config, data, backbone, idf, boosts, entries, teacher))
    material = Material.load(config, data, backbone, idf=idf, boosts=boosts, entries=entries, cache=cache)
    learner = open_learner(material, len(boosts), entries, teacher)
    with _one_thread(config):
        trained = Trainer(config, data, learner.student, learner.asked, checkpoints, curves).run()
        if config.judged_spread:
            trained.judged = fit_to_judged(learner.student, data, learner.asked, config.judged_spread)
    if not distributed.rank():
        learner.save(folder)
        if checkpoints is not None:
            checkpoints.forget()
    return trained, len(material.wishes.wanted)


def _origin(config: TrainSparseConfig, data: TrainingSet, backbone: Path, *more: Any) -> str:
    """What a training is made from, but for how long it may take and where it runs."""
    settled = config.model_dump(exclude=_INDIFFERENT)
    idf, boosts, entries, teacher = more
    return fingerprint(
        {
            "config": [settled],
            "backbone": [folder_hash(backbone)],
            "queries": (query.model_dump_json() for query in data.queries),
            "passages": ((passage.id, passage.text) for passage in data.passages),
            "teacher": [data.teacher.passages.tobytes(), data.teacher.scores.tobytes()],
            "weights": [sorted(idf.items()), sorted(boosts.items())],
            "dictionary": (entry.model_dump_json() for entry in entries),
            "dense": [] if teacher is None else [teacher.queries.tobytes(), teacher.passages.tobytes()],
        }
    )


@contextmanager
def _one_thread(config: TrainSparseConfig) -> Iterator[None]:
    """Steps of the head are many small operations: on a CPU, threads cost more than they bring."""
    threads = torch.get_num_threads()
    if config.train == "head":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
