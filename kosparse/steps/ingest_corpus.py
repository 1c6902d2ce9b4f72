"""``ingest_corpus``: read the corpus into documents, passages and an evaluation set."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kosparse import progress
from kosparse.config import IngestCorpusConfig
from kosparse.corpus.cleaning import BadRowError, Cleaned, rejected, sample
from kosparse.corpus.datasheet import render
from kosparse.corpus.evaluation_set import EvaluationSet, read_evaluation
from kosparse.corpus.parallel_text import read_folder
from kosparse.corpus.passages import split_document
from kosparse.corpus.query_log import read_query_log
from kosparse.corpus.readers import Collection, Location, locate, read_rows
from kosparse.corpus.record_log import RecordLog, Rejects
from kosparse.corpus.seen import Seen
from kosparse.corpus.summary import KEPT, Inspection
from kosparse.corpus.text import query_key
from kosparse.jsonl import read_records, write_json, write_lines, write_records
from kosparse.records import AlignedText, Document, LoggedQuery, Reject
from kosparse.steps.inputs import bring, no_corpus
from kosparse.steps.runtime import Metrics, OutPath, step


@step
def run(
    config: IngestCorpusConfig,
    *,
    corpus: str,
    queries: str,
    qrels: str,
    query_log: str,
    documents: OutPath,
    passages: OutPath,
    evaluation: OutPath,
    parallel: OutPath,
    logged: OutPath,
    rejects: OutPath,
    flags: OutPath,
    corpus_summary: OutPath,
    datasheet: OutPath,
) -> Metrics:
    """Read, check, cut and count; rows that cannot be used go to ``rejects`` with file, line and reason.

    Whatever ends it, ``rejects`` and ``flags`` hold what was found until then.

    Raises:
        InputError: Nothing usable, or more than ``max_bad_share`` of the rows are bad.
    """
    if not corpus:
        raise no_corpus()
    with tempfile.TemporaryDirectory(prefix="kosparse-corpus-") as folder, Rejects(rejects) as left_out:
        here = Path(folder)
        seen = Seen(here / "seen.sqlite")
        collection = locate(
            bring(corpus, here / "corpus"), _optional(queries, here / "queries"), _optional(qrels, here / "qrels")
        )
        cleaned = Cleaned(collection.corpus, config, left_out, seen)
        with RecordLog(flags) as flagged:
            inspection = Inspection(config, seen, left_out, flagged)
            reading = inspection.watch(sample(cleaned, config.max_documents))
            write_records(documents, progress.track(reading, "reading", unit="documents"))
        summary = inspection.summary
        cleaned.check(summary.documents)
        _tell(cleaned)
        judged = read_evaluation(collection, seen.all(KEPT))
        aligned, bad_aligned = _read_parallel(collection)
        asked, bad_asked = _read_log(query_log, here / "log", judged)
        left_out.extend([*judged.rejects, *bad_aligned, *bad_asked])
        seen.close()
    judged.write(evaluation)
    write_records(parallel, aligned)
    write_records(logged, asked)
    cut = progress.track(read_records(documents, Document), "cutting", summary.documents, unit="documents")
    cuts = write_records(
        passages, (passage for document in cut for passage in split_document(document, config.passage_characters))
    )
    counts = {
        "passages": cuts,
        "rejected": len(left_out),
        "queries": len(judged.queries),
        "test_queries": judged.queries_in("test"),
        "judgements": judged.judgements,
        "parallel": len(aligned),
        "logged_queries": len(asked),
    }
    about = {"corpus": corpus, **summary.as_json(), **counts, **_detail(cleaned)}
    write_json(corpus_summary, about)
    write_lines(datasheet, [render(about, left_out.first)])
    return {"documents": float(summary.documents), **{name: float(count) for name, count in counts.items()}}


def _tell(cleaned: Cleaned) -> None:
    """What was guessed or mended, to the person watching."""
    columns = {field: column for field, column in cleaned.reading.columns.items() if field != column}
    if columns:
        progress.note("columns: " + ", ".join(f"{field} from {column}" for field, column in columns.items()))
    if cleaned.reading.made_ids:
        progress.note("no column is an id: ids are made from the content")
    _tell_encodings(cleaned.reading.encodings, "")
    if cleaned.mended:
        progress.note(f"{cleaned.mended:,} documents had been decoded wrongly and are mended")


def _tell_encodings(encodings: Counter[str], what: str) -> None:
    others = {name: count for name, count in encodings.items() if name != "utf-8"}
    if others:
        shown = ", ".join(f"{n:,} lines {name}" for name, n in others.items())
        progress.note(f"{what}not UTF-8, read all the same: {shown}")


def _detail(cleaned: Cleaned) -> dict[str, Any]:
    return {
        "rows": cleaned.rows,
        "bad_dates": cleaned.bad_dates,
        "files": dict(cleaned.reading.files.most_common()),
        "encodings": dict(cleaned.reading.encodings.most_common()),
        "columns": cleaned.reading.columns,
        "made_ids": cleaned.reading.made_ids,
        "mended": cleaned.mended,
        "mended_examples": cleaned.mended_examples,
        "rejected_by_reason": dict(cleaned.rejects.reasons.most_common()),
    }


def _optional(address: str, folder: Path) -> Location | None:
    return bring(address, folder) if address else None


def _read_log(address: str, folder: Path, judged: EvaluationSet) -> tuple[list[LoggedQuery], list[Reject]]:
    if not address:
        return [], []
    encodings = Counter[str]()
    evaluated = {query_key(query.text) for query in judged.queries.values()}
    found = read_query_log(bring(address, folder), evaluated, encodings)
    _tell_encodings(encodings, "the query log: ")
    return found


def _read_parallel(collection: Collection) -> tuple[list[AlignedText], list[Reject]]:
    rows: list[AlignedText] = []
    bad: list[Reject] = []
    for where, row in read_rows(collection.parallel) if collection.parallel else ():
        if isinstance(row, Reject):
            bad.append(row)
            continue
        try:
            rows.append(AlignedText.model_validate(row))
        except ValidationError as error:
            bad.append(rejected(BadRowError("bad_parallel", error.errors()[0]["msg"]), where, row))
    for found in read_folder(collection.catalogues) if collection.catalogues else ():
        if isinstance(found, Reject):
            bad.append(found)
        else:
            rows.append(found)
    return rows, bad
