"""Put the training set together: queries of every origin, and the teachers' scores."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from kosparse.config import BuildTrainingSetConfig
from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.corpus.text import query_key
from kosparse.errors import InputError
from kosparse.evaluation.judgements import load_real
from kosparse.jsonl import read_records
from kosparse.progress import note
from kosparse.records import NegativeDoc, Pair, Passage, Query, TrainingQuery
from kosparse.sparse.given_scores import GivenScores, read_given_scores
from kosparse.sparse.negatives import bm25_over
from kosparse.sparse.pseudo_queries import pseudo_queries
from kosparse.sparse.sampling import sampled
from kosparse.sparse.teacher import TeacherScores, teacher_scores
from kosparse.sparse.training_set import (
    TrainingSet,
    pseudo_training_queries,
    queries_of_pairs,
    real_training_queries,
    summarise,
)
from kosparse.steps.inputs import bring
from kosparse.steps.runtime import InPath, Metrics, OutPath, step

_LEARNT_AND_HELD_OUT: tuple[Literal["train", "validation"], ...] = ("train", "validation")


@step
def run(
    config: BuildTrainingSetConfig,
    *,
    passages: InPath,
    generated_passages: InPath,
    kept: InPath,
    mined: InPath,
    written: InPath,
    evaluation: InPath,
    dictionary: InPath,
    training_set: OutPath,
) -> Metrics:
    """Join synthetic pairs and pseudo-queries, leave out evaluation queries, and let the teachers score."""
    whole = list(read_records(passages, Passage))
    pairs = list(read_records(kept, Pair)) if config.use_synthetic else []
    judged = _judged_documents(evaluation, whole) if config.use_real else set()
    collection = sampled(whole, config.max_passages, [judged, {pair.document_id for pair in pairs}])
    everything = collection + list(read_records(generated_passages, Passage))
    known = {passage.id for passage in everything}
    left_out = {
        "passages_left_out": len(whole) - len(collection),
        "pairs_left_out": sum(pair.passage_id not in known for pair in pairs),
        "pairs_without_answer": sum(not pair.is_answered for pair in pairs),
    }
    if len(collection) < len(whole):
        told = f"trained on {len(collection):,} of {len(whole):,} passages (build_training_set.max_passages)"
        note(f"{told}; {left_out['pairs_left_out']:,} of {len(pairs):,} pairs are of others")
    banned = {query_key(query.text) for query in read_records(evaluation / "queries.jsonl", Query)}
    synthetic, contaminated = queries_of_pairs([pair for pair in pairs if pair.passage_id in known], banned)
    pseudo = pseudo_queries(collection, config.pseudo_queries, banned, config.seed)
    queries = synthetic + pseudo_training_queries(pseudo.rows, collection)
    if config.use_real:
        queries += real_queries(evaluation, collection)
    if not queries:
        raise InputError(
            "there is nothing to train on: no synthetic pair was kept and no pseudo-query could be made",
            where=str(kept),
            fix="Set pseudo_queries above 0, or look at the funnel for why all pairs were rejected.",
        )
    negatives, extra = _negatives(config, mined, written, {query.id for query in synthetic}, known)
    everything += extra
    given = _given(config, queries, everything)
    teacher = teach(
        queries,
        everything,
        bm25_weight=config.bm25_weight,
        lead=config.lead_weight,
        depth=config.teacher_depth,
        given=given,
    )
    result = TrainingSet(queries, everything, teacher, negatives)
    summary = summarise(queries, len(everything), len(negatives), contaminated + pseudo.contaminated)
    summary |= left_out | dict(given.counts if given else {})
    result.save(training_set, summary)
    return {f"training_set/{key}": float(value) for key, value in summary.items() if isinstance(value, int)}


def real_queries(evaluation: Path, passages: Sequence[Passage]) -> list[TrainingQuery]:
    """What the ``train`` split of an evaluation folder teaches, and its ``validation`` split to choose by; where it has
    no ``train`` split, nothing."""
    known = {passage.document_id for passage in passages}
    found: list[TrainingQuery] = []
    for split in _LEARNT_AND_HELD_OUT:
        judged = load_real(evaluation, split, known)
        if judged is None:
            break
        found += real_training_queries(judged, passages, bm25_over(passages), split)
    return found


def _judged_documents(evaluation: Path, passages: Sequence[Passage]) -> set[str]:
    """Those that are relevant to a judged query that is learnt from or held out."""
    known, found = {passage.document_id for passage in passages}, set[str]()
    for split in _LEARNT_AND_HELD_OUT:
        judged = load_real(evaluation, split, known)
        for grades in judged.qrels.values() if judged else ():
            found |= {document for document, grade in grades.items() if grade > 0}
    return found


def teach(
    queries: Sequence[TrainingQuery],
    passages: Sequence[Passage],
    *,
    bm25_weight: float,
    lead: float,
    depth: int,
    given: GivenScores | None = None,
) -> TeacherScores:
    """Let BM25 and the dense encoder score the passages for each query, and mix in what was given."""
    from kosparse.adapters.embedder import open_embedder

    embedder = open_embedder()
    texts = [query.text for query in queries]
    return teacher_scores(
        bm25_over(passages, lead=lead),
        content_morphemes_of(texts),
        embedder.encode(texts, "query"),
        embedder.encode([passage.text for passage in passages], "passage"),
        bm25_weight=bm25_weight,
        depth=depth,
        given=given,
    )


def _given(
    config: BuildTrainingSetConfig, queries: Sequence[TrainingQuery], passages: Sequence[Passage]
) -> GivenScores | None:
    """The scores of the further teacher, where one is named."""
    if not config.teacher_scores:
        return None
    with tempfile.TemporaryDirectory(prefix="kosparse-scores-") as folder:
        file = bring(config.teacher_scores, Path(folder))
        return read_given_scores(file, [query.text for query in queries], passages, config.teacher_weight)


def _negatives(
    config: BuildTrainingSetConfig, mined: Path, written: Path, asked: set[str], known: set[str]
) -> tuple[list[NegativeDoc], list[Passage]]:
    """Mined negatives of some queries among known passages, and written ones as passages of their own when they are
    asked for."""
    negatives = [row for row in read_records(mined, NegativeDoc) if row.pair_id in asked and row.passage_id in known]
    if not config.use_written_negatives:
        return negatives, []
    texts = [row for row in read_records(written, NegativeDoc) if row.pair_id in asked and row.text]
    passages = [
        Passage(id=f"written/{number}#0", document_id=f"written/{number}", position=0, text=row.text)
        for number, row in enumerate(texts)
    ]
    renamed = [row.model_copy(update={"passage_id": passage.id}) for row, passage in zip(texts, passages, strict=True)]
    return negatives + renamed, passages
