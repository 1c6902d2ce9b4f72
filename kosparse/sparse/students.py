"""Which student learns, by the units of the backbone and by what of it is to learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kosparse.corpus.units import UNITS_FILE
from kosparse.errors import ConfigError
from kosparse.progress import note
from kosparse.records import SynonymEntry
from kosparse.sparse.activation import Activation
from kosparse.sparse.closed_form import DenseTeacher, fitted_rows
from kosparse.sparse.full_student import FullStudent, PieceNetwork
from kosparse.sparse.head import find_head
from kosparse.sparse.head_student import HeadStudent
from kosparse.sparse.material import Material
from kosparse.sparse.model import save_morpheme_model, save_sparse_model
from kosparse.sparse.morpheme_head import MorphemeHead, load_head, replace_mean
from kosparse.sparse.morpheme_modules import MorphemeDocument
from kosparse.sparse.morpheme_student import MorphemeNetwork, MorphemeStudent
from kosparse.sparse.own_units import OwnUnits
from kosparse.sparse.query_side import NetworkQueries, QuerySide, StaticQueries
from kosparse.sparse.states import EncoderStates
from kosparse.sparse.student import Asked, Student
from kosparse.sparse.translations import Translations, rules_of


@dataclass(frozen=True)
class Learner:
    """A student and what goes with it."""

    student: Student
    asked: Sequence[Asked]
    """What it reads of each query."""
    save: Callable[[Path], None]
    """Write the model as it is then."""


def open_learner(
    material: Material, boosts: int, entries: Sequence[SynonymEntry], teacher: DenseTeacher | None
) -> Learner:
    """The student of a training.

    Args:
        material: The backbone and what is learnt from.
        boosts: How many rising terms there are.
        entries: Of the dictionary, for the document side of a model over morphemes.
        teacher: Rows over morphemes are fitted to it; None leaves them.

    Raises:
        ConfigError: Queries over morphemes are to go through the encoder, which gives weights to pieces alone.
    """
    symmetric = material.config.query_encoder == "network"
    if not (material.backbone / UNITS_FILE).is_file():
        return _symmetric(material, boosts) if symmetric else _over_pieces(material)
    if symmetric:
        raise ConfigError(
            "queries over morphemes do not go through an encoder",
            where="train_sparse.query_encoder",
            fix="Set prepare_backbone.units=pieces, or train_sparse.query_encoder=weights.",
        )
    return _over_morphemes(material, entries, teacher)


def _over_morphemes(material: Material, entries: Sequence[SynonymEntry], teacher: DenseTeacher | None) -> Learner:
    config, wishes = material.config, material.wishes
    head, saturation = load_head(material.backbone)
    head.activation = Activation(config.activation)
    if entries:
        rules = rules_of(entries, config.dictionary_p, config.translation_share)
        saturation = replace(saturation, translations=Translations(rules))
    saturation = replace(saturation, lexical=config.lexical_prior)
    if not material.learnt:
        saturation = replace(saturation, lead=config.lead_weight)
    own = OwnUnits(saturation, material.texts)
    if teacher is not None and not material.learnt:
        _fit_rows(head, material.states(), material, teacher)
    document = MorphemeDocument(material.network, material.tokenizer, saturation, head)
    if config.train == "all":
        learning = MorphemeNetwork(document.to(material.device).eval(), material.pieces(material.texts), own)
        material.spare_memory()
        queries = StaticQueries(material.weights)
        return Learner(
            FullStudent(learning, queries, wishes, config),
            material.terms,
            lambda folder: save_morpheme_model(folder, document.cpu(), queries.result()),
        )
    states, place = material.states(), (material.cache, material.device)
    student = MorphemeStudent(head, states, own, material.weights, wishes, config.seed, *place)
    return Learner(
        student, material.terms, lambda folder: save_morpheme_model(folder, document.cpu(), student.finish(head))
    )


def _over_pieces(material: Material) -> Learner:
    config = material.config
    if config.train == "all":
        return _whole(material, StaticQueries(material.weights), material.terms)
    head, activation = find_head(material.network), Activation(config.activation)
    student = HeadStudent(head, material.states(), material.weights, material.wishes, config.seed, activation)
    return Learner(student, material.terms, lambda folder: _save(material, folder, student.finish(material.network)))


def _symmetric(material: Material, boosts: int) -> Learner:
    if boosts:
        note(f"{boosts:,} rising terms raise nothing: the weights of queries come from the encoder")
    asked = [np.array([row] if len(terms) else [], dtype=np.int64) for row, terms in enumerate(material.terms)]
    return _whole(material, NetworkQueries(len(material.texts)), asked)


def _whole(material: Material, queries: QuerySide, asked: Sequence[Asked]) -> Learner:
    """Over pieces, every layer."""
    read = [] if queries.parameters() else material.pieces([query.text for query in material.data.queries])
    network, pad = material.network.to(material.device).eval(), material.tokenizer.pad_token_id
    passages = PieceNetwork(network, material.pieces(material.texts), pad, read)
    material.spare_memory()
    student = FullStudent(passages, queries, material.wishes, material.config)
    return Learner(student, asked, lambda folder: _save(material, folder, queries.result()))


def _save(material: Material, folder: Path, query_weights: Tensor | None) -> None:
    activation = Activation(material.config.activation)
    save_sparse_model(folder, material.backbone, material.network.cpu(), query_weights, activation)


def _fit_rows(head: MorphemeHead, states: EncoderStates, material: Material, teacher: DenseTeacher) -> None:
    """Fit the head's mean rows to the dense teacher, on the queries that are learnt from."""
    centers = torch.stack([states.of(text).mean(0) for text in range(len(states))])
    learnt = material.data.rows("train")
    view = DenseTeacher(teacher.queries[learnt], teacher.passages)
    rows = nn.functional.normalize(head.mean.detach(), dim=1).numpy()
    terms, weights = [material.terms[row] for row in learnt], material.weights.numpy()
    found, explained = fitted_rows(rows, terms, weights, centers.numpy(), view)
    replace_mean(head, torch.from_numpy(found), centers)
    note(f"rows fitted in closed form: a query's units explain {explained:.0%} of its dense vector")
