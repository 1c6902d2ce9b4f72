"""A finished run as material: trained again in other ways, measured on its own test queries."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kosparse import progress
from kosparse.commands.run_folder import task_folder
from kosparse.config import BuildTrainingSetConfig, EvaluateConfig, TrainSparseConfig
from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.errors import InputError
from kosparse.evaluation.ablation import Baseline, SeedResult, Variant
from kosparse.evaluation.cross_script import cross_script, expanded_morphemes
from kosparse.evaluation.fusion import fuse
from kosparse.evaluation.judgements import Judgements, load_real
from kosparse.evaluation.metrics import PRIMARY, evaluate_run, mean
from kosparse.evaluation.ranking import Run
from kosparse.evaluation.systems import System, Texts, bm25_system, dense_system, sparse_run
from kosparse.jsonl import read_json, read_records
from kosparse.records import AlignedText, Document, Passage, SynonymCandidate, SynonymEntry
from kosparse.settings import settings
from kosparse.sparse.teacher import TeacherScores
from kosparse.sparse.training_set import TrainingSet

if TYPE_CHECKING:
    from kosparse.sparse.model import SparseModel

_DEPTH = 100


class FinishedRun:
    """What every variant shares.

    Args:
        folder: Of the run.

    Raises:
        InputError: The folder is not a finished run, or it has no real test queries.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.tasks = folder, task_folder(folder)
        self.data = TrainingSet.load(self.tasks / "build-training-set" / "training_set")
        collection = self.tasks / "ingest-corpus"
        self.texts = {row.id: row.searched for row in read_records(collection / "documents", Document)}
        judged = load_real(collection / "evaluation", "test", self.texts)
        if judged is None:
            raise InputError(
                "this run has no real test queries", where=str(folder), fix="Run with QUERIES= and QRELS= first."
            )
        self.judged: Judgements = judged
        self.passages = list(read_records(collection / "passages", Passage))
        self.dictionary = list(read_records(self.tasks / "enhance-dictionary" / "dictionary", SynonymEntry))
        self.cross_script = cross_script(judged, self.texts, read_records(collection / "parallel", AlignedText))
        self.config = TrainSparseConfig.parse(self._given("train_sparse"), step="train_sparse")

    @cached_property
    def data_with_real(self) -> TrainingSet:
        """The training set with the real queries of the train split."""
        from kosparse.steps.build_training_set import real_queries, teach

        config = BuildTrainingSetConfig.parse(self._given("build_training_set"), step="build_training_set")
        if config.use_real:
            return self.data
        known = {passage.id for passage in self.passages}
        collection = [passage for passage in self.data.passages if passage.id in known]
        if len(collection) < len(known):
            progress.note(f"judged queries are of the {len(collection):,} passages trained on, of {len(known):,}")
        queries = real_queries(self.tasks / "ingest-corpus" / "evaluation", collection)
        depth = self.data.teacher.passages.shape[1]
        taught = teach(
            queries, self.data.passages, bm25_weight=config.bm25_weight, lead=config.lead_weight, depth=depth
        )
        both = TeacherScores(
            np.concatenate([self.data.teacher.passages, taught.passages]),
            np.concatenate([self.data.teacher.scores, taught.scores]),
        )
        return TrainingSet([*self.data.queries, *queries], self.data.passages, both, self.data.negatives)

    def train(self, name: str, variant: Variant, seed: int) -> SeedResult:
        """Train one variant with one seed and measure it."""
        from kosparse.sparse.fit import fit
        from kosparse.sparse.model import load_sparse_model
        from kosparse.steps.train_sparse import dense_teacher

        progress.note(f"{name}, seed {seed}: {variant.shown}")
        # Equal steps: only max_steps ends a training.
        config = self.config.model_copy(update={"max_seconds": 1e9, **variant.config, "seed": seed})
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            model = Path(scratch) / "model"
            data = (self.data_with_real if variant.real else self.data).where(variant.learns_from)
            backbone, idf = self._backbone(variant, Path(scratch))
            fit(
                config,
                data,
                backbone,
                model,
                idf=read_json(idf),
                boosts=read_json(self.tasks / "detect-trends" / "trends")["terms"],
                entries=self._entries(variant),
                cache=settings().cache / "states",
                teacher=dense_teacher(data) if config.closed_form else None,
            )
            seconds = time.monotonic() - started
            loaded = load_sparse_model(model)
            keep = len(self.passages) <= len(self.data.passages)  # of many more, states would fill the disk
            run, active = _search(loaded, self.judged.queries, self.passages, keep=keep)
            crossed = {
                each.name: _search(loaded, each.queries, each.passages(self.passages), keep=keep)[0]
                for each in self.cross_script
            }
        return SeedResult(
            variant=name,
            seed=seed,
            values=evaluate_run(self.judged.qrels, run)[PRIMARY],
            fused=evaluate_run(self.judged.qrels, self._fused(run))[PRIMARY],
            cross_script=self._crossed(crossed),
            active_dims_doc=active,
            seconds=round(seconds, 1),
        )

    def baselines(self) -> list[Baseline]:
        """BM25, BM25 whose queries are expanded by the dictionary, and the dense encoder."""
        from kosparse.adapters.embedder import open_embedder

        embedder = open_embedder()

        def bm25(asked: Texts, whole: Texts, passages: list[Passage]) -> System:
            return bm25_system(asked, whole, content_morphemes_of, _DEPTH)

        def expanded(asked: Texts, whole: Texts, passages: list[Passage]) -> System:
            expand = partial(expanded_morphemes, entries=self.dictionary)
            return bm25_system(asked, whole, content_morphemes_of, _DEPTH, analyse_queries=expand)

        def dense(asked: Texts, whole: Texts, passages: list[Passage]) -> System:
            cut = _texts({row.id: row.text for row in passages})
            return dense_system(asked, cut, [row.document_id for row in passages], embedder, _DEPTH)

        found = []
        for system, search in (("bm25_kiwi", bm25), ("bm25_dictionary", expanded), ("dense", dense)):
            run = search(_texts(self.judged.queries), _texts(self.texts), self.passages).run
            crossed = {
                each.name: search(
                    _texts(each.queries), _texts(each.documents(self.texts)), each.passages(self.passages)
                ).run
                for each in self.cross_script
            }
            metric = mean(evaluate_run(self.judged.qrels, run)[PRIMARY])
            found.append(Baseline(system=system, metric=round(metric, 6), cross_script=self._crossed(crossed)))
        return found

    def _crossed(self, runs: dict[str, Run]) -> dict[str, float]:
        qrels = {each.name: each.qrels for each in self.cross_script}
        return {name: round(mean(evaluate_run(qrels[name], run)[PRIMARY]), 6) for name, run in runs.items()}

    @cached_property
    def bm25(self) -> Run:
        """BM25's ranking of the test queries."""
        system = bm25_system(_texts(self.judged.queries), _texts(self.texts), content_morphemes_of, _DEPTH)
        return system.run

    def _fused(self, run: Run) -> Run:
        config = EvaluateConfig.parse(self._given("evaluate"), step="evaluate")
        return fuse(run, self.bm25, weight=config.fusion_weight, depth=_DEPTH)

    def _backbone(self, variant: Variant, scratch: Path) -> tuple[Path, Path]:
        """The run's backbone and its IDF, or those of a variant that wants another."""
        if not variant.backbone:
            return self.tasks / "prepare-backbone" / "backbone", self.tasks / "compute-idf" / "idf"
        from kosparse.steps import compute_idf, prepare_backbone

        collection, backbone, idf = self.tasks / "ingest-corpus", scratch / "backbone", scratch / "idf"
        passages, parallel = collection / "passages", collection / "parallel"
        given = {**self._given("prepare_backbone"), **variant.backbone}
        prepare_backbone.run(config=given, passages=passages, parallel=parallel, backbone=backbone)
        compute_idf.run(config=self._given("compute_idf"), passages=passages, backbone=backbone, idf=idf)
        return backbone, idf

    def _entries(self, variant: Variant) -> list[SynonymEntry]:
        if variant.dictionary == "none":
            return []
        if variant.dictionary == "verified":
            return self.dictionary
        mined = read_records(self.tasks / "mine-synonyms" / "candidates", SynonymCandidate)
        wanted = [row for row in mined if variant.dictionary in ("mined", row.source)]
        return [SynonymEntry(ko=row.ko, en=row.en, p=1.0, sources=[row.source]) for row in wanted]

    def _given(self, step: str) -> dict[str, object]:
        """What the run was told of a step."""
        path = self.folder / "arguments.json"
        return dict(read_json(path).get(step, {})) if path.exists() else {}


def _search(
    model: SparseModel, queries: dict[str, str], passages: Sequence[Passage], *, keep: bool
) -> tuple[Run, float]:
    """The run, and the mean active dimensions of the passages."""
    from kosparse.sparse.cached_weights import document_weights

    weights = document_weights(model, [row.text for row in passages], settings().cache / "states", keep=keep)
    asked = model.encode_queries(list(queries.values()))
    run = sparse_run(list(queries), [row.document_id for row in passages], asked, weights, _DEPTH)
    return run, weights.nnz / weights.shape[0]


def _texts(texts: dict[str, str]) -> Texts:
    return Texts(list(texts), list(texts.values()))
