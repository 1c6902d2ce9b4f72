"""``kosparse benchmark``: a trained model on public Korean retrieval sets, beside BM25 and the dense encoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kosparse import progress
from kosparse.config import IngestCorpusConfig
from kosparse.corpus.passages import split_document
from kosparse.evaluation.metrics import METRICS
from kosparse.evaluation.public_sets import SETS, PublicSet, write_collection
from kosparse.evaluation.results import Results, read_results
from kosparse.evaluation.verdict import p_text
from kosparse.export.hashing import file_hash, folder_hash
from kosparse.jsonl import read_json, read_lines, read_records, write_json, write_lines, write_records
from kosparse.records import Document, Query
from kosparse.settings import settings

_SOURCE = "source.json"


def run(names: Sequence[str], data: Path | None, model: Path | None, output: Path) -> None:
    """Bring each set into BEIR's layout, measure on it, and write ``benchmark.json`` and ``benchmark.md``.

    Args:
        names: Of ``SETS``.
        data: Folder with the published files, one folder (or KorQuAD JSON file) per set; None downloads them.
        model: Folder of the trained encoder; None writes the collections and measures nothing.
        output: Folder; a set whose results of this model are there is not measured again.

    Raises:
        InputError: Files of a set are missing or something else.
        ServiceError: The hub cannot be reached.
    """
    measured: dict[str, Results] = {}
    for name in names:
        collection = _collection(name, SETS[name], data, output / name / "collection")
        if model is not None:
            measured[name] = _measure(model, collection, output / name)
    if model is None:
        return
    sources = {name: read_json(output / name / "collection" / _SOURCE) for name in measured}
    write_json(
        output / "benchmark.json",
        {name: {**sources[name], **found.model_dump(mode="json")} for name, found in measured.items()},
    )
    lines = [line for name, found in measured.items() for line in _table(name, sources[name]["revision"], found)]
    write_lines(output / "benchmark.md", lines)
    print("\n".join(lines))


def _collection(name: str, which: PublicSet, data: Path | None, folder: Path) -> Path:
    if (folder / _SOURCE).exists():
        return folder
    if data is None:
        from kosparse.adapters.dataset_hub import download

        source, revision = download(which.repository, which.revision, which.files, settings().cache / "datasets")
    else:
        source = _given(data, name)
        revision = f"sha256:{file_hash(source) if source.is_file() else folder_hash(source)}"
    counted = write_collection(source, folder, which.split, which.prefix)
    progress.note(
        f"{name}: {counted.documents:,} documents, {counted.queries:,} queries, {counted.judgements:,} judged"
    )
    write_json(folder / _SOURCE, {"dataset": which.repository, "revision": revision, "split": which.split})
    return folder


def _given(data: Path, name: str) -> Path:
    """A folder or file of the set's name below ``data``."""
    return next((path for path in (data / name, data / f"{name}.json") if path.exists()), data / name)


def _measure(model: Path, collection: Path, folder: Path) -> Results:
    """Measure with the code of the pipeline's ``evaluate``."""
    from kosparse.steps import evaluate

    results = folder / "results"
    if (results / "results.json").exists() and read_results(results).model_sha256 == folder_hash(model):
        return read_results(results)
    inputs = _inputs(collection, folder / "inputs")
    evaluate.run(config={}, model=model, results=results, **inputs)
    return read_results(results)


def _inputs(collection: Path, folder: Path) -> dict[str, Path]:
    """What ``evaluate`` reads. Every document is kept, however short: the table would not be the public one."""
    paths = {
        name: folder / name for name in ("documents", "passages", "evaluation", "training_set", "parallel", "champion")
    }
    write_records(paths["documents"], (_document(line) for _, line in read_lines(collection / "corpus.jsonl")))
    longest = IngestCorpusConfig().passage_characters
    write_records(
        paths["passages"],
        (passage for row in read_records(paths["documents"], Document) for passage in split_document(row, longest)),
    )
    asked = (json.loads(line) for _, line in read_lines(collection / "queries.jsonl"))
    write_records(paths["evaluation"] / "queries.jsonl", (Query(id=row["_id"], text=row["text"]) for row in asked))
    write_lines(
        paths["evaluation"] / "qrels" / "test.tsv",
        (line.rstrip() for _, line in read_lines(collection / "qrels" / "test.tsv")),
    )
    write_lines(paths["training_set"] / "queries.jsonl", [])
    write_lines(paths["training_set"] / "passages.jsonl", [])
    write_lines(paths["parallel"], [])
    write_json(paths["champion"] / "champion.json", {"name": "", "version": ""})
    return paths


def _document(line: str) -> Document:
    row = json.loads(line)
    return Document(id=row["_id"], title=row["title"], text=row["text"])


def _table(name: str, revision: str, found: Results) -> list[str]:
    compared = {row.system: row for row in found.comparisons}
    rows = []
    for system, row in found.systems.items():
        numbers = " | ".join(f"{row.metrics[metric]:.4f}" for metric in METRICS)
        against = compared.get(system)
        p = f"{against.difference:+.4f}, p {p_text(against.p_corrected)}" if against else ""
        rows.append(f"| {system} | {numbers} | {p} |")
    return [
        f"### {name}: {found.queries:,} queries, {found.documents:,} documents",
        "",
        f"revision {revision}, model sha256 {found.model_sha256}",
        "",
        f"| system | {' | '.join(METRICS)} | {found.primary} against BM25 |",
        "|---|" + "---|" * (len(METRICS) + 1),
        *rows,
        "",
    ]
