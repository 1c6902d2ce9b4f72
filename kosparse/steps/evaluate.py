"""``evaluate``: the sparse model beside BM25, dense retrieval and their fusion, on queries nothing was trained on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from kosparse import progress
from kosparse.config import EvaluateConfig
from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.corpus.text import query_key
from kosparse.evaluation import contamination, examples
from kosparse.evaluation.cross_script import EN_KO, cross_script
from kosparse.evaluation.judgements import Judgements, held_out_synthetic, load_real
from kosparse.evaluation.metrics import METRICS, PRIMARY, evaluate_run, mean
from kosparse.evaluation.pruning import PruningPoint, pruning_curve
from kosparse.evaluation.ranking import Run
from kosparse.evaluation.results import (
    PerQuery,
    Results,
    compare,
    per_query_values,
    query_rows,
    system_results,
    write_results,
    write_run,
)
from kosparse.evaluation.review import Measured, against_champion, read_champion
from kosparse.evaluation.slices import Slice, compare_slices, slice_results
from kosparse.evaluation.systems import (
    System,
    Texts,
    bm25_system,
    dense_system,
    fusion_system,
    sparse_run,
    sparse_system,
)
from kosparse.export.hashing import folder_hash
from kosparse.jsonl import read_records
from kosparse.records import AlignedText, Document, Passage, Qrel, TrainingQuery
from kosparse.settings import settings
from kosparse.steps.runtime import InPath, Metrics, OutPath, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scipy.sparse import csr_matrix

Search: TypeAlias = "Callable[[Texts], dict[str, Run]]"
"""Queries to the rankings of each system."""

_HALF = 0.5
"""Weight of the first system in the fusions with the dense encoder."""


@step
def run(
    config: EvaluateConfig,
    *,
    model: InPath,
    passages: InPath,
    documents: InPath,
    evaluation: InPath,
    training_set: InPath,
    parallel: InPath,
    champion: InPath,
    results: OutPath,
) -> Metrics:
    """Write ``results.json``, ``per_query.jsonl``, ``examples.json``, ``runs/<system>.trec`` and the sparse ``index``.

    Rankings are written as soon as a system has them, so that a later failure loses none.

    Raises:
        InputError: There is nothing to evaluate on, or no judgement can be used.
    """
    started = time.monotonic()
    collection = list(read_records(documents, Document))
    trained_on = list(read_records(training_set / "queries.jsonl", TrainingQuery))
    judgements = _judgements(config, evaluation, training_set, trained_on, {document.id for document in collection})
    progress.note(f"{len(judgements.queries):,} {judgements.kind} queries, {len(collection):,} documents")
    if judgements.left_out:
        progress.note("judgements left out: " + ", ".join(f"{why} {n}" for why, n in judgements.left_out.items()))
    cuts = list(read_records(passages, Passage))
    systems, weights, search = _systems(config, model, collection, cuts, judgements, results)
    values = per_query_values(judgements, systems)
    rows = query_rows(judgements, systems, values)
    found = Results(
        judgements=judgements.kind,
        split=judgements.split,
        queries=len(judgements.queries),
        qrels=judgements.count,
        documents=len(collection),
        passages=len(cuts),
        left_out=judgements.left_out,
        depth=config.depth,
        fusion_weight=config.fusion_weight,
        systems=system_results(systems, values, config.seed),
        comparisons=compare(values, permutations=config.permutations, seed=config.seed),
        slices=_slices(config, judgements, collection, values)
        + _english_queries(config, judgements, collection, read_records(parallel, AlignedText), search),
        pruning=_pruning(config, judgements, weights),
        contamination=contamination.check(
            (row.text for row in trained_on if row.split == "train"), judgements.queries, query_key, values
        ),
        model_sha256=folder_hash(model),
        seconds=round(time.monotonic() - started, 2),
    )
    before = read_champion(champion)
    found.champion = against_champion(Measured("", found, {row.query_id: row for row in rows}), before)
    runs = {system.name: system.run for system in systems}
    chosen = examples.choose(weights, judgements, values, runs, config.examples, before.primary if before else {})
    write_results(results, found, rows, chosen)
    return _metrics(found)


def _metrics(found: Results) -> Metrics:
    metrics = {f"{name}.{metric}": row.metrics[metric] for name, row in found.systems.items() for metric in METRICS}
    sparse = found.systems["sparse"].efficiency
    return {
        **metrics,
        "queries": float(found.queries),
        "active_dims_doc": sparse.active_dims_doc or 0.0,
        "active_dims_query": sparse.active_dims_query or 0.0,
        "flops": sparse.flops or 0.0,
    }


def _judgements(
    config: EvaluateConfig, evaluation: Path, training_set: Path, trained_on: Sequence[TrainingQuery], ids: set[str]
) -> Judgements:
    real = load_real(evaluation, config.split, ids)
    if real is not None:
        return real
    held_out = [row for row in trained_on if row.split == "validation" and row.origin != "pseudo"]
    document_of = {row.id: row.document_id for row in read_records(training_set / "passages.jsonl", Passage)}
    qrels = [
        Qrel(query_id=row.id, document_id=document_of[row.passage_id])
        for row in held_out
        if row.passage_id in document_of
    ]
    return held_out_synthetic({row.id: row.text for row in held_out}, qrels, ids, "validation")


def _slices(
    config: EvaluateConfig, judgements: Judgements, collection: Sequence[Document], values: PerQuery
) -> list[Slice]:
    relevant = {name for grades in judgements.qrels.values() for name, grade in grades.items() if grade > 0}
    documents = {document.id: document.searched for document in collection if document.id in relevant}
    return slice_results(
        judgements,
        values,
        dict(zip(judgements.queries, content_morphemes_of(list(judgements.queries.values())), strict=True)),
        dict(zip(documents, content_morphemes_of(list(documents.values())), strict=True)),
        permutations=config.permutations,
        seed=config.seed,
    )


def _english_queries(
    config: EvaluateConfig,
    judgements: Judgements,
    collection: Sequence[Document],
    parallel: Iterable[AlignedText],
    search: Search,
) -> list[Slice]:
    """English headings asked of the Korean pages they stand in, where the collection has parallel text."""
    directions = cross_script(judgements, {document.id: document.searched for document in collection}, parallel)
    found = []
    for each in directions:
        if each.name == EN_KO:
            runs = search(Texts(list(each.queries), list(each.queries.values())))
            values = {system: evaluate_run(each.qrels, run) for system, run in runs.items()}
            rows = [("language", "English, of Korean pages", list(each.queries))]
            found += compare_slices(rows, values, config.permutations, config.seed)
    return found


def _pruning(config: EvaluateConfig, judgements: Judgements, weights: examples.Weights) -> list[PruningPoint]:
    def measure(index: csr_matrix) -> float:
        run = sparse_run(list(judgements.queries), weights.document_ids, weights.queries, index, config.depth)
        return mean(evaluate_run(judgements.qrels, run)[PRIMARY])

    return pruning_curve(weights.passages, measure)


def _systems(
    config: EvaluateConfig,
    model: Path,
    documents: Sequence[Document],
    passages: Sequence[Passage],
    judgements: Judgements,
    folder: Path,
) -> tuple[list[System], examples.Weights, Search]:
    """The systems, the weights behind the sparse one, and a way to ask the three that are no fusion again."""
    from kosparse.adapters.embedder import open_embedder
    from kosparse.sparse.cached_weights import document_weights
    from kosparse.sparse.model import load_sparse_model
    from kosparse.sparse.search import SparseIndex
    from kosparse.sparse.vocabulary import readable

    queries = Texts(list(judgements.queries), list(judgements.queries.values()))
    texts = [passage.text for passage in passages]
    document_ids = [passage.document_id for passage in passages]
    bar = progress.Bar("systems", 6, "systems")

    def done(system: System) -> System:
        write_run(folder, system)
        bar.advance()
        return system

    whole = Texts([row.id for row in documents], [row.searched for row in documents])
    bm25 = done(bm25_system(queries, whole, content_morphemes_of, config.depth))
    cut = Texts([row.id for row in passages], texts)
    embedder = open_embedder()
    dense = done(dense_system(queries, cut, document_ids, embedder, config.depth))
    encoder = load_sparse_model(model)
    sparse, asked, index = sparse_system(
        queries,
        document_ids,
        lambda: document_weights(encoder, texts, settings().cache / "states"),
        lambda: encoder.encode_queries(queries.texts),
        config.depth,
    )
    SparseIndex(encoder, index, [passage.id for passage in passages], document_ids).save(folder / "index")
    done(sparse)
    fusions = [
        done(fusion_system(name, first, second, weight=weight, depth=config.depth))
        for name, first, second, weight in (
            ("fusion", sparse, bm25, config.fusion_weight),
            ("dense_bm25", dense, bm25, _HALF),
            ("sparse_dense", sparse, dense, _HALF),
        )
    ]
    bar.close()
    terms = [readable(token) or token for token in encoder.terms]

    def search(others: Texts) -> dict[str, Run]:
        weights = encoder.encode_queries(others.texts)
        return {
            "bm25_kiwi": bm25_system(others, whole, content_morphemes_of, config.depth).run,
            "dense": dense_system(others, cut, document_ids, embedder, config.depth).run,
            "sparse": sparse_run(others.ids, document_ids, weights, index, config.depth),
        }

    return [bm25, dense, sparse, *fusions], examples.Weights(asked, index, terms, document_ids, texts), search
