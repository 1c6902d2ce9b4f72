"""Public Korean retrieval sets, in the layouts they are published in, as a collection in BEIR's layout.

==================  =============================================================================
``ko_strategyqa``   multi-hop questions translated from StrategyQA (Geva et al., TACL 2021)
``autorag``         parsed PDFs of finance, public sector, health care, law and commerce
``squad_kor_v1``    KorQuAD 1.0 as retrieval (Lim et al., 2019): its JSON file, or the set on the hub
``miracl_ko``       Wikipedia, 1.49 million passages (Zhang et al., TACL 2023)
==================  =============================================================================

Revisions are those that the MTEB benchmark names, so that tables can be compared; of ``miracl_ko`` no commit is known
here, so it follows ``main``.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kosparse.errors import InputError
from kosparse.jsonl import write_lines

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class PublicSet:
    """Where a set is published, and which part of it is evaluated."""

    repository: str
    """On the Hugging Face hub."""
    revision: str
    split: str
    files: tuple[str, ...]
    """Patterns of the files to download."""
    prefix: str = ""
    """Of the folders that hold the language wanted, such as ``ko-`` in ``ko-corpus``."""


_BEIR = ("*.jsonl", "*.jsonl.gz", "qrels/*")
_PARQUET = ("*.parquet", "*/*.parquet")

SETS = {
    "ko_strategyqa": PublicSet("taeminlee/Ko-StrategyQA", "d243889a3eb6654029dbd7e7f9319ae31d58f97c", "dev", _BEIR),
    "autorag": PublicSet("yjoonjang/markers_bm", "fd7df84ac089bbec763b1c6bb1b56e985df5cc5c", "test", _PARQUET),
    "squad_kor_v1": PublicSet("yjoonjang/squad_kor_v1", "2b4ee1f3b143a04792da93a3df21933c5fe9eed3", "test", _PARQUET),
    "miracl_ko": PublicSet("mteb/MIRACLRetrieval", "main", "dev", ("ko-*/*.parquet",), prefix="ko-"),
}


@dataclass(frozen=True)
class Counted:
    """How much a collection holds."""

    documents: int
    queries: int
    judgements: int


def write_collection(source: Path, output: Path, split: str, prefix: str = "") -> Counted:
    """Write a published set as ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/test.tsv``.

    Args:
        source: Folder with the published files (BEIR's JSON lines, Parquet by parts, or MIRACL's own), or KorQuAD's
            JSON file.
        output: Folder to write; ``make run CORPUS=`` takes it.
        split: The part that is judged, as the set calls it.
        prefix: Of the folders that hold the language wanted.

    Raises:
        InputError: The files are not there, or hold something else; names what was looked for.
    """
    corpus, queries, qrels = _layout(source, split, prefix)
    judged = sorted({(_text(row, "query-id"), _text(row, "corpus-id"), int(float(row["score"]))) for row in qrels()})
    asked = {query_id for query_id, _, _ in judged}
    documents = write_lines(output / "corpus.jsonl", (_line(row, "title") for row in corpus()))
    kept = write_lines(output / "queries.jsonl", (_line(row) for row in queries() if _text(row, "_id") in asked))
    lines = ("\t".join((query_id, document_id, str(score))) for query_id, document_id, score in judged)
    write_lines(output / "qrels" / "test.tsv", ["query-id\tcorpus-id\tscore", *lines])
    if not (documents and kept and judged):
        raise InputError(
            f"{documents} documents, {kept} queries and {len(judged)} judgements of the split {split} were found",
            where=str(source),
            fix="Check that the files are complete, and of the set that was named.",
        )
    return Counted(documents, kept, len(judged))


Layout = tuple[Callable[[], Rows], Callable[[], Rows], Callable[[], Rows]]
"""Rows of the corpus (``_id``, ``title``, ``text``), the queries (``_id``, ``text``) and the judgements
(``query-id``, ``corpus-id``, ``score``)."""


def _layout(source: Path, split: str, prefix: str) -> Layout:
    if not source.exists():
        raise InputError("there is no such file or folder", where=str(source), fix="Give the set's published files.")
    if source.is_file():
        return _korquad(source)
    for find in (_beir, _parquet, _miracl):
        found = find(source, split, prefix)
        if found:
            return found
    raise InputError(
        "no layout of a retrieval set was recognised",
        where=str(source),
        fix=f"A folder with corpus.jsonl, queries.jsonl and qrels/{split}.tsv (or .jsonl); one with Parquet files in "
        f"{prefix}corpus/, {prefix}queries/ and {prefix}qrels/ (or data/); MIRACL's docs-*.jsonl.gz, topics and "
        "qrels; or KorQuAD's JSON file.",
    )


def _beir(source: Path, split: str, prefix: str) -> Layout | None:
    corpus, queries = _first(source, "corpus.jsonl*"), _first(source, "queries.jsonl*")
    qrels = _first(source, f"qrels/{split}.*")
    if not (corpus and queries and qrels):
        return None
    return _reader(corpus), _reader(queries), _reader(qrels)


def _parquet(source: Path, split: str, prefix: str) -> Layout | None:
    parts = {
        "corpus": sorted(source.glob(f"{prefix}corpus/*.parquet")),
        "queries": sorted(source.glob(f"{prefix}queries/*.parquet")),
        "qrels": [
            path
            for folder in ("qrels", "data", "default")
            for path in sorted(source.glob(f"{prefix}{folder}/{split}*.parquet"))
        ],
    }
    if not all(parts.values()):
        return None
    corpus, queries, qrels = (_reader(*paths) for paths in parts.values())
    return corpus, queries, qrels


def _miracl(source: Path, split: str, prefix: str) -> Layout | None:
    """MIRACL's own files: ``docs-*.jsonl.gz``, ``topics.*-<split>.tsv``, ``qrels.*-<split>.tsv`` (TREC's columns)."""
    documents = sorted(source.rglob("docs-*.jsonl*"))
    topics, qrels = _first(source, f"**/topics.*-{split}.tsv"), _first(source, f"**/qrels.*-{split}.tsv")
    if not (documents and topics and qrels):
        return None

    def corpus() -> Rows:
        for row in _reader(*documents)():
            yield {"_id": row["docid"], "title": row.get("title", ""), "text": row["text"]}

    def asked() -> Rows:
        yield from ({"_id": query_id, "text": text} for query_id, text in _table(topics, 2))

    def judged() -> Rows:
        for query_id, _, document_id, score in _table(qrels, 4):
            yield {"query-id": query_id, "corpus-id": document_id, "score": score}

    return corpus, asked, judged


def _korquad(file: Path) -> Layout:
    """SQuAD's JSON: every paragraph is a document, every question asks for its paragraph."""
    try:
        articles = json.loads(file.read_bytes())["data"]
        paragraphs = [
            (f"{number}-{position}", article.get("title", ""), paragraph)
            for number, article in enumerate(articles)
            for position, paragraph in enumerate(article["paragraphs"])
        ]
        questions = [(name, row["id"], row["question"]) for name, _, one in paragraphs for row in one["qas"]]
        texts = [(name, title, one["context"]) for name, title, one in paragraphs]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"not KorQuAD's JSON: {type(error).__name__} {error}", where=str(file), fix="Give KorQuAD_v1.0_dev.json."
        ) from error
    return (
        lambda: iter([{"_id": name, "title": title, "text": text} for name, title, text in texts]),
        lambda: iter([{"_id": query_id, "text": text} for _, query_id, text in questions]),
        lambda: iter([{"query-id": query_id, "corpus-id": name, "score": 1} for name, query_id, _ in questions]),
    )


def _reader(*paths: Path) -> Callable[[], Rows]:
    """Rows of files, by their ending."""

    def rows() -> Rows:
        for path in paths:
            if path.suffix == ".parquet":
                yield from _parquet_rows(path)
            elif path.suffix == ".tsv":
                yield from (
                    {"query-id": query_id, "corpus-id": document_id, "score": score}
                    for query_id, document_id, score in _table(path, 3)
                    if query_id != "query-id"
                )
            else:
                yield from _json_lines(path)

    return rows


def _parquet_rows(path: Path) -> Rows:
    import pyarrow
    from pyarrow import parquet

    try:
        for batch in parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise InputError(f"not a Parquet file: {error}", where=str(path), fix="Download it again.") from error


def _json_lines(path: Path) -> Rows:
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8")
    number = 0
    try:
        with opened as file:
            for line in file:
                number += 1
                if line.strip():
                    yield json.loads(line)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(
            f"cannot be read: {error}", where=f"{path}:{number}", fix="Download the file again; it may be cut off."
        ) from error


def _table(path: Path, columns: int) -> Iterator[list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE), 1):
            if len(row) != columns:
                raise InputError(
                    f"{len(row)} columns instead of {columns}",
                    where=f"{path}:{number}",
                    fix="Download the file again.",
                )
            yield row


def _line(row: dict[str, Any], *more: str) -> str:
    kept = {"_id": _text(row, "_id"), **{name: str(row.get(name) or "") for name in more}, "text": _text(row, "text")}
    return json.dumps(kept, ensure_ascii=False)


def _text(row: dict[str, Any], name: str) -> str:
    if row.get(name) is None:
        raise InputError(
            f"a row without {name}: {str(row)[:120]}", where=name, fix="Check that this is the set that was named."
        )
    return str(row[name])


def _first(folder: Path, pattern: str) -> Path | None:
    return next(iter(sorted(folder.glob(pattern))), None)
