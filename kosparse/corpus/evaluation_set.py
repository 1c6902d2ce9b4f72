"""Real queries and judgements: read, checked against the documents, split, written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kosparse.corpus.cleaning import BadRowError, clean_text, rejected, to_id
from kosparse.corpus.readers import STAGE, Collection, Location, read_columns, read_rows
from kosparse.corpus.splitting import SPLITS, split_of_query
from kosparse.corpus.text import one_line
from kosparse.errors import InputError
from kosparse.jsonl import write_lines, write_records
from kosparse.records import Qrel, Query, Reject

HEADER = "query-id\tcorpus-id\tscore"


@dataclass
class EvaluationSet:
    """Queries, and judgements by split. Empty when there are no real queries."""

    queries: dict[str, Query] = field(default_factory=dict)
    qrels: dict[str, list[Qrel]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def judgements(self) -> int:
        """Over all splits."""
        return sum(map(len, self.qrels.values()))

    def queries_in(self, split: str) -> int:
        """How many queries a split judges."""
        return len({qrel.query_id for qrel in self.qrels.get(split, [])})

    def write(self, folder: Path) -> None:
        """Write ``queries.jsonl`` (Query) and ``qrels/{train,validation,test}.tsv`` with BEIR's header."""
        write_records(folder / "queries.jsonl", self.queries.values())
        for split in SPLITS:
            rows = [f"{qrel.query_id}\t{qrel.document_id}\t{qrel.relevance}" for qrel in self.qrels.get(split, [])]
            write_lines(folder / "qrels" / f"{split}.tsv", [HEADER, *rows])


def read_evaluation(collection: Collection, documents: Container[str]) -> EvaluationSet:
    """Read the real queries of a collection.

    Judgements that come in files named by split keep it. Others are split by document (``split_of``); a
    query with relevant documents in and outside test is left out (``straddles_test``). Judgements of
    unknown queries or documents, and queries that nothing is relevant to, are left out with a reason.

    Args:
        collection: Where the files are.
        documents: Ids that exist.

    Raises:
        InputError: Queries were given and none of them can be used.
    """
    if collection.queries is None:
        return EvaluationSet()
    result = EvaluationSet()
    queries = read_queries(collection.queries, result.rejects)
    for split, file in collection.qrels.items():
        judged = list(_read_qrels(file, queries, documents, result.rejects))
        by_split = {split: judged} if split else _split(judged, result.rejects)
        for name, qrels in by_split.items():
            result.qrels[name] = list(_with_relevant(qrels))
    judged_ids = {qrel.query_id for qrels in result.qrels.values() for qrel in qrels}
    for query in queries.values():
        if query.id in judged_ids:
            result.queries[query.id] = query
        else:
            result.rejects.append(_left_out("no_judgement", query.id, {"text": query.text}))
    if queries and not result.queries:
        raise InputError(
            f"none of the {len(queries):,} queries has a relevant document in the corpus",
            where=collection.queries.name,
            fix="Check that the ids in QRELS are those of QUERIES (first column) and CORPUS (second).",
        )
    return result


def read_queries(file: Location, rejects: list[Reject]) -> dict[str, Query]:
    """Read queries, judged or not, by id; rows that are none go to ``rejects``."""
    queries: dict[str, Query] = {}
    for where, row in read_rows(file):
        if isinstance(row, Reject):
            rejects.append(row)
            continue
        try:
            query = Query(id=to_id(row), text=one_line(clean_text(row)))
            if query.id in queries:
                raise BadRowError("duplicate_query_id")
        except BadRowError as bad:
            rejects.append(rejected(bad, where, row))
            continue
        queries[query.id] = query
    return queries


def _read_qrels(
    file: Location, queries: Mapping[str, Query], documents: Container[str], rejects: list[Reject]
) -> Iterator[Qrel]:
    """Rows ``query document score`` (BEIR) or ``query 0 document score`` (TREC); a header is skipped."""
    seen: set[tuple[str, str]] = set()
    for number, (where, columns) in enumerate(read_columns(file)):
        if number == 0 and columns[-1] in ("score", "relevance", "rel"):
            continue
        try:
            qrel = _to_qrel(columns)
            if qrel.query_id not in queries:
                raise BadRowError("unknown_query", qrel.query_id)
            if qrel.document_id not in documents:
                raise BadRowError("unknown_document", qrel.document_id)
            if (qrel.query_id, qrel.document_id) in seen:
                raise BadRowError("duplicate_judgement")
        except BadRowError as bad:
            rejects.append(rejected(bad, where, {"line": " ".join(columns)}))
            continue
        seen.add((qrel.query_id, qrel.document_id))
        yield qrel


def _to_qrel(columns: list[str]) -> Qrel:
    if len(columns) not in (3, 4):
        raise BadRowError("bad_judgement", f"{len(columns)} columns; 3 (BEIR) or 4 (TREC) are expected")
    try:
        relevance = int(columns[-1])
    except ValueError:
        raise BadRowError("bad_judgement", f"the score {columns[-1]!r} is not a whole number") from None
    return Qrel(query_id=columns[0], document_id=columns[-2], relevance=relevance)


def _split(qrels: Iterable[Qrel], rejects: list[Reject]) -> dict[str, list[Qrel]]:
    """By the documents relevant to each query."""
    by_query: dict[str, list[Qrel]] = defaultdict(list)
    for qrel in qrels:
        by_query[qrel.query_id].append(qrel)
    result: dict[str, list[Qrel]] = defaultdict(list)
    for query_id, judged in by_query.items():
        relevant = [qrel.document_id for qrel in judged if qrel.relevance > 0]
        split = split_of_query(relevant)
        if split:
            result[split].extend(judged)
        elif relevant:
            rejects.append(_left_out("straddles_test", query_id, {"documents": relevant[:10]}))
    return result


def _with_relevant(qrels: list[Qrel]) -> Iterator[Qrel]:
    """Judgements of the queries that something is relevant to: no metric is defined for the others."""
    answered = {qrel.query_id for qrel in qrels if qrel.relevance > 0}
    return (qrel for qrel in qrels if qrel.query_id in answered)


def _left_out(reason: str, query_id: str, row: dict[str, object]) -> Reject:
    return Reject(stage=STAGE, reason=reason, where=query_id, row=row)
