"""The training set: queries of every origin, the passages, and what the teacher thinks of them.

A folder: ``queries.jsonl`` (TrainingQuery), ``passages.jsonl`` (Passage), ``negatives.jsonl``
(NegativeDoc), ``teacher.npz`` (``passages`` and ``scores``, one row per query) and ``summary.json``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.corpus.splitting import split_of
from kosparse.corpus.text import query_key
from kosparse.errors import InputError
from kosparse.evaluation.bm25 import Bm25
from kosparse.evaluation.judgements import Judgements
from kosparse.jsonl import read_records, write_json, write_records
from kosparse.records import NegativeDoc, Pair, Passage, TrainingQuery
from kosparse.sparse.teacher import TeacherScores

GROUPS = ("real", "synthetic", "pseudo")
"""Kinds of queries a batch is mixed of, in the order they are drawn (``TrainingQuery.group``)."""


@dataclass(frozen=True)
class TrainingSet:
    """Everything training reads."""

    queries: list[TrainingQuery]
    passages: list[Passage]
    teacher: TeacherScores
    """Row i belongs to ``queries[i]``; positions point into ``passages``."""
    negatives: list[NegativeDoc] = field(default_factory=list)
    """``pair_id`` is the id of a query here."""

    def rows(self, split: str, group: str | None = None) -> list[int]:
        """Positions of the queries of a split; only those of one of ``GROUPS`` when asked."""
        return [row for row, query in enumerate(self.queries) if query.split == split and group in (None, query.group)]

    def where(self, wanted: Callable[[TrainingQuery], bool]) -> TrainingSet:
        """The same passages with some of the queries."""
        rows = [row for row, query in enumerate(self.queries) if wanted(query)]
        teacher = TeacherScores(self.teacher.passages[rows], self.teacher.scores[rows])
        kept = {self.queries[row].id for row in rows}
        negatives = [row for row in self.negatives if row.pair_id in kept]
        return TrainingSet([self.queries[row] for row in rows], self.passages, teacher, negatives)

    def save(self, folder: Path, summary: dict[str, Any]) -> None:
        """Write the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_records(folder / "queries.jsonl", self.queries)
        write_records(folder / "passages.jsonl", self.passages)
        write_records(folder / "negatives.jsonl", self.negatives)
        np.savez_compressed(folder / "teacher.npz", passages=self.teacher.passages, scores=self.teacher.scores)
        write_json(folder / "summary.json", summary)

    @staticmethod
    def load(folder: Path) -> TrainingSet:
        """Read the folder.

        Raises:
            InputError: A file is missing, or the teacher's rows do not match the queries.
        """
        queries = list(read_records(folder / "queries.jsonl", TrainingQuery))
        passages = list(read_records(folder / "passages.jsonl", Passage))
        try:
            with np.load(folder / "teacher.npz") as arrays:
                teacher = TeacherScores(arrays["passages"], arrays["scores"])
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"cannot read the teacher's scores: {error}",
                where=str(folder / "teacher.npz"),
                fix="Run build_training_set again.",
            ) from error
        if len(teacher.passages) != len(queries) or (teacher.passages.size and teacher.passages.max() >= len(passages)):
            raise InputError(
                "the teacher's scores belong to other queries or passages",
                where=str(folder),
                fix="Run build_training_set again.",
            )
        return TrainingSet(queries, passages, teacher, list(read_records(folder / "negatives.jsonl", NegativeDoc)))


def queries_of_pairs(pairs: Iterable[Pair], banned: Set[str]) -> tuple[list[TrainingQuery], int]:
    """Turn kept pairs into queries; also count those left out because they equal an evaluation query.

    A passage written to be no answer (grade 0 or 1) makes no query: it is not what should be found.
    """
    kept: list[TrainingQuery] = []
    contaminated = 0
    for pair in pairs:
        if not pair.is_answered:
            continue
        if query_key(pair.query) in banned:
            contaminated += 1
            continue
        kept.append(
            TrainingQuery(
                id=pair.id,
                text=pair.query,
                origin=pair.origin,
                passage_id=pair.passage_id,
                split=_split(pair.document_id),
            )
        )
    return kept, contaminated


def pseudo_training_queries(rows: Sequence[tuple[str, str]], passages: Sequence[Passage]) -> list[TrainingQuery]:
    """Turn ``(text, passage id)`` into queries with ids of their own."""
    document = {passage.id: passage.document_id for passage in passages}
    return [
        TrainingQuery(
            id=f"pseudo-{number}",
            text=text,
            origin="pseudo",
            passage_id=passage_id,
            split=_split(document[passage_id]),
        )
        for number, (text, passage_id) in enumerate(rows)
    ]


def real_training_queries(
    judgements: Judgements, passages: Sequence[Passage], index: Bm25, split: Literal["train", "validation"]
) -> list[TrainingQuery]:
    """Turn judged queries into training queries, one for each relevant document.

    Args:
        judgements: Of the split.
        passages: The collection.
        index: BM25 over the passages: of a relevant document, the passage that it ranks first is taken.
        split: Whether they are learnt from or held out.
    """
    places, rows = places_of(passages), []
    for (query_id, text), tokens in zip(
        judgements.queries.items(), content_morphemes_of(list(judgements.queries.values())), strict=True
    ):
        scores = index.scores(tokens)
        for document_id, grade in judgements.qrels[query_id].items():
            if grade > 0:
                best = max(places[document_id], key=lambda place: (scores[place], -place))
                name = f"real-{query_id}-{document_id}"
                rows.append(TrainingQuery(id=name, text=text, origin="real", passage_id=passages[best].id, split=split))
    return rows


def places_of(passages: Iterable[Passage]) -> dict[str, list[int]]:
    """Positions of each document's passages."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, passage in enumerate(passages):
        places[passage.document_id].append(place)
    return places


def summarise(queries: Sequence[TrainingQuery], passages: int, negatives: int, contaminated: int) -> dict[str, Any]:
    """Counts for the report: by origin and split, and what was left out as contaminated."""
    by_origin = Counter(query.origin for query in queries)
    return {
        "queries": len(queries),
        "by_origin": dict(sorted(by_origin.items())),
        "train": sum(query.split == "train" for query in queries),
        "validation": sum(query.split == "validation" for query in queries),
        "validation_kind": "real" if any(held_out_real(query) for query in queries) else "held-out synthetic",
        **{group: sum(query.group == group for query in queries) for group in GROUPS},
        "passages": passages,
        "negatives": negatives,
        "contaminated": contaminated,
    }


def held_out_real(query: TrainingQuery) -> bool:
    """Whether a query is a judged one that is not learnt from: where there is one, these alone are validated on."""
    return query.group == "real" and query.split == "validation"


def _split(document_id: str) -> Any:
    """Held out when the document is in the validation split; all others are learnt from."""
    return "validation" if split_of(document_id) == "validation" else "train"
