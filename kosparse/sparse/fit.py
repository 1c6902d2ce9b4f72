"""From a training set and a backbone to a trained model folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kosparse.config import TrainSparseConfig
from kosparse.config.training import WHERE_IT_TRAINS
from kosparse.corpus.units import UNITS_FILE, Units, load_units
from kosparse.errors import ConfigError
from kosparse.export.hashing import folder_hash
from kosparse.progress import note
from kosparse.records import SynonymEntry
from kosparse.sparse import distributed
from kosparse.sparse.activation import Activation
from kosparse.sparse.backbone import body_fingerprint, load_backbone
from kosparse.sparse.checkpoints import Checkpoints, fingerprint
from kosparse.sparse.closed_form import DenseTeacher, fitted_rows
from kosparse.sparse.curves import Curves
from kosparse.sparse.full_student import FullStudent, PieceNetwork
from kosparse.sparse.head import find_head
from kosparse.sparse.head_student import HeadStudent
from kosparse.sparse.model import save_morpheme_model, save_sparse_model
from kosparse.sparse.morpheme_head import MorphemeHead, load_head, replace_mean
from kosparse.sparse.morpheme_modules import MorphemeDocument
from kosparse.sparse.morpheme_student import MorphemeNetwork, MorphemeStudent
from kosparse.sparse.query_side import NetworkQueries, StaticQueries
from kosparse.sparse.states import EncoderStates, encoder_states
from kosparse.sparse.student import Asked, Student, Terms
from kosparse.sparse.training import Trained, Trainer
from kosparse.sparse.training_set import TrainingSet
from kosparse.sparse.translations import Translations, rules_of
from kosparse.sparse.warm_start import check_activation, learnt_query_weights
from kosparse.sparse.wishes import dictionary_wishes

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
    activation = Activation(config.activation)
    torch.manual_seed(config.seed)
    if checkpoints is not None:
        checkpoints = checkpoints.of(_origin(config, data, backbone, idf, boosts, entries, teacher))
    network, tokenizer, max_length = load_backbone(backbone)
    texts = [passage.text for passage in data.passages]
    units = load_units(backbone)
    wishes = dictionary_wishes(units, texts, entries, config.dictionary_p)
    learnt = learnt_query_weights(backbone)
    start = query_weights(units, idf, boosts) if learnt is None else learnt
    asked = [np.unique(np.asarray(ids, dtype=np.int64)) for ids in units.of([query.text for query in data.queries])]

    def states() -> EncoderStates:
        body = body_fingerprint(network, tokenizer)
        return encoder_states(network, tokenizer, texts, cache=cache, body=body, max_length=max_length)

    def pieces(of: Sequence[str]) -> list[list[int]]:
        return list(tokenizer(list(of), truncation=True, max_length=max_length)["input_ids"])

    symmetric = config.query_encoder == "network"
    if symmetric:
        _check_symmetric(backbone, boosts)
        asked = [np.array([row] if len(terms) else [], dtype=np.int64) for row, terms in enumerate(asked)]

    student: HeadStudent | MorphemeStudent | FullStudent
    if (backbone / UNITS_FILE).is_file():
        head, saturation = load_head(backbone)
        head.activation = activation
        if entries:
            rules = rules_of(entries, config.dictionary_p, config.translation_share)
            saturation = replace(saturation, translations=Translations(rules))
        saturation = replace(saturation, lexical=config.lexical_prior)
        own = saturation.of(texts)
        if teacher is not None and learnt is None:
            _fit_rows(head, states(), start, asked, data, teacher)
        document = MorphemeDocument(network, tokenizer, saturation, head)
        if config.train == "all":
            learning = MorphemeNetwork(document.to(_device(config)).eval(), pieces(texts), own)
            _spare_memory(config, network)
            student = FullStudent(learning, StaticQueries(start), wishes, config)
        else:
            student = MorphemeStudent(head, states(), own, start, wishes, config.seed, cache)
        trained = _train(config, data, student, asked, checkpoints, curves)
        query = student.finish(head)
        if not distributed.rank():
            assert query is not None  # checked above: morphemes have weights of their own
            save_morpheme_model(folder, document.cpu(), query)
    else:
        if config.train == "all":
            read = pieces([query.text for query in data.queries]) if symmetric else []
            whole = PieceNetwork(network.to(_device(config)).eval(), pieces(texts), tokenizer.pad_token_id, read)
            _spare_memory(config, network)
            queries = NetworkQueries(len(texts)) if symmetric else StaticQueries(start)
            student = FullStudent(whole, queries, wishes, config)
        else:
            student = HeadStudent(find_head(network), states(), start, wishes, config.seed, activation)
        trained = _train(config, data, student, asked, checkpoints, curves)
        query = student.finish(network)
        if not distributed.rank():
            save_sparse_model(folder, backbone, network.cpu(), query, activation)
    if checkpoints is not None and not distributed.rank():
        checkpoints.forget()
    return trained, len(wishes.wanted)


def _fit_rows(
    head: MorphemeHead,
    states: EncoderStates,
    weights: Tensor,
    asked: Sequence[Terms],
    data: TrainingSet,
    teacher: DenseTeacher,
) -> None:
    """Fit the head's mean rows to the dense teacher, on the queries that are learnt from."""
    centers = torch.stack([states.of(text).mean(0) for text in range(len(states))])
    learnt = data.rows("train")
    view = DenseTeacher(teacher.queries[learnt], teacher.passages)
    rows = nn.functional.normalize(head.mean.detach(), dim=1).numpy()
    found, explained = fitted_rows(rows, [asked[row] for row in learnt], weights.numpy(), centers.numpy(), view)
    replace_mean(head, torch.from_numpy(found), centers)
    note(f"rows fitted in closed form: a query's units explain {explained:.0%} of its dense vector")


def _check_symmetric(backbone: Path, boosts: Mapping[str, float]) -> None:
    """The encoder gives weights to pieces alone, and no weight of a query stands anywhere to be raised."""
    if (backbone / UNITS_FILE).is_file():
        raise ConfigError(
            "queries over morphemes do not go through an encoder",
            where="train_sparse.query_encoder",
            fix="Set prepare_backbone.units=pieces, or train_sparse.query_encoder=weights.",
        )
    if boosts:
        note(f"{len(boosts):,} rising terms raise nothing: the weights of queries come from the encoder")


def query_weights(units: Units, idf: Mapping[str, float], boosts: Mapping[str, float]) -> Tensor:
    """IDF times trend boost for each unit; one without an IDF, such as a special token, weighs 0: shape [units]."""
    return torch.tensor([float(idf.get(name, 0.0)) * float(boosts.get(name, 1.0)) for name in units.names])


def _train(
    config: TrainSparseConfig,
    data: TrainingSet,
    student: Student,
    asked: Sequence[Asked],
    checkpoints: Checkpoints | None,
    curves: Curves | None,
) -> Trained:
    with _one_thread(config):
        return Trainer(config, data, student, asked, checkpoints, curves).run()


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


def _spare_memory(config: TrainSparseConfig, network: Any) -> None:
    """Gradient checkpointing (Chen et al. 2016, 1604.06174), when it is asked for."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    if not config.gradient_checkpointing:
        return
    try:
        network.gradient_checkpointing_enable({"use_reentrant": False})
    except ValueError as error:
        raise ConfigError(
            f"this backbone cannot do with less memory: {error}",
            where="train_sparse.gradient_checkpointing",
            fix="Set it to false, and lower train_sparse.micro_batch instead.",
        ) from error
    for module in network.modules():
        if isinstance(module, GradientCheckpointingLayer):
            # transformers looks at the layer's own flag; its parts stay as they are, so that nothing is dropped out.
            module.training = True


def _device(config: TrainSparseConfig) -> str:
    if config.device != "auto":
        return config.device
    return "cuda" if torch.cuda.is_available() else "cpu"


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
