"""What is evaluated on: queries with judgements, real ones where there are any.

Where a collection has no real query for the split, held-out synthetic queries stand in: those
that ``build_training_set`` kept out of training. Results say so everywhere; they are good for comparing
two models, not for promising quality.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kosparse.errors import InputError
from kosparse.jsonl import read_lines, read_records
from kosparse.records import Qrel, Query

Kind = Literal["real", "held-out synthetic"]


@dataclass(frozen=True)
class Judgements:
    """Queries of one split and the documents judged for them."""

    queries: dict[str, str]
    """Text by query id: only queries with at least one relevant document of the collection."""
    qrels: dict[str, dict[str, int]]
    """Relevance by query id and document id, queries in the same order."""
    kind: Kind
    split: str
    left_out: dict[str, int]
    """Counts of what could not be used, by reason."""

    @property
    def count(self) -> int:
        """How many judgements there are."""
        return sum(len(documents) for documents in self.qrels.values())


def read_qrels(path: Path) -> list[Qrel]:
    """Read a BEIR qrels file: ``query-id<TAB>corpus-id<TAB>score``, with or without that header.

    Raises:
        InputError: The file is missing, or a line has not three columns or a score that is no whole number.
    """
    rows = []
    for number, line in read_lines(path):
        columns = line.rstrip("\r\n").split("\t")
        if number == 1 and columns[:2] == ["query-id", "corpus-id"]:
            continue
        try:
            query_id, document_id, relevance = columns
            rows.append(Qrel(query_id=query_id, document_id=document_id, relevance=int(relevance)))
        except ValueError as error:
            raise InputError(
                f"not a relevance judgement: {line.strip()[:80]!r}",
                where=f"{path}:{number}",
                fix="Three columns divided by tabs: query id, document id, whole-number score.",
            ) from error
    return rows


def load_real(folder: Path, split: str, documents: Collection[str]) -> Judgements | None:
    """Read the real queries of a split, or None when it has none.

    Args:
        folder: Holds ``queries.jsonl`` and ``qrels/<split>.tsv``.
        split: ``test``, ``validation`` or ``train``.
        documents: Ids of the collection.

    Raises:
        InputError: There are judgements, but not one of them can be used.
    """
    path = folder / "qrels" / f"{split}.tsv"
    if not path.exists():
        return None
    rows = read_qrels(path)
    queries = {query.id: query.text for query in read_records(folder / "queries.jsonl", Query)}
    return _judgements(rows, queries, documents, "real", split, str(path)) if rows else None


def held_out_synthetic(
    queries: Mapping[str, str], qrels: Iterable[Qrel], documents: Collection[str], split: str
) -> Judgements:
    """Judgements from generated queries that were kept out of training.

    Raises:
        InputError: There are none.
    """
    rows = list(qrels)
    if not rows:
        raise InputError(
            "there is nothing to evaluate on: no real queries and no held-out synthetic ones",
            where=f"split {split}",
            fix="Give QUERIES= and QRELS=, or generate more pairs (generate_queries.max_passages).",
        )
    return _judgements(rows, queries, documents, "held-out synthetic", split, "training_set")


def _judgements(
    rows: Iterable[Qrel], queries: Mapping[str, str], documents: Collection[str], kind: Kind, split: str, where: str
) -> Judgements:
    known = set(documents)
    left_out = {"unknown document": 0, "unknown query": 0, "duplicate judgement": 0, "no relevant document": 0}
    qrels: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.query_id not in queries:
            left_out["unknown query"] += 1
        elif row.document_id not in known:
            left_out["unknown document"] += 1
        elif row.document_id in qrels.setdefault(row.query_id, {}):
            left_out["duplicate judgement"] += 1  # the first counts, as when a collection is read
        else:
            qrels[row.query_id][row.document_id] = row.relevance
    usable = {query_id: grades for query_id, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    left_out["no relevant document"] = len(qrels) - len(usable)
    if not usable:
        raise InputError(
            "none of the judgements can be used: "
            + ", ".join(f"{reason} {count}" for reason, count in left_out.items() if count),
            where=where,
            fix="Check that the ids in the qrels are those of the corpus and of the queries.",
        )
    texts = {query_id: queries[query_id] for query_id in usable}
    return Judgements(texts, usable, kind, split, {reason: count for reason, count in left_out.items() if count})
