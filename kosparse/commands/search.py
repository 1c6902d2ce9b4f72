"""``kosparse search`` and ``kosparse encode``: the trained model at work."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kosparse.corpus.splitting import part_of
from kosparse.jsonl import read_records
from kosparse.models.quiet import quiet_transformers
from kosparse.records import Document, Passage
from kosparse.sparse.encoding import Precision, encode_to_shards
from kosparse.sparse.model import load_sparse_model
from kosparse.sparse.pruning import Pruning
from kosparse.sparse.search import SparseIndex


def search(query: str, run: Path, k: int, *, as_json: bool) -> None:
    """Print the best ``k`` documents of a finished run's collection."""
    documents = {document.id: document.searched for document in read_records(run / "documents.jsonl", Document)}
    with quiet_transformers():
        index = SparseIndex.open(run / "model", run / "passages.jsonl", run / "index")
    for rank, hit in enumerate(index.search(query, k), 1):
        text = documents.get(hit.document_id, "")
        if as_json:
            row = {"rank": rank, "id": hit.document_id, "score": round(hit.score, 4), "text": text}
            print(json.dumps(row, ensure_ascii=False))
        else:
            print(f"{rank:2d}. {hit.score:7.3f}  {hit.document_id}\n      {_excerpt(text)}")


def encode(text: str, run: Path, k: int, *, document: bool, as_json: bool) -> None:
    """Print the sparse vector of a text, heaviest terms first; ``-`` reads one text per line."""
    with quiet_transformers():
        model = load_sparse_model(run / "model")
    texts = [line.rstrip("\n") for line in sys.stdin] if text == "-" else [text]
    vectors = model.encode_documents(texts) if document else model.encode_queries(texts)
    for row in range(len(texts)):
        terms = model.explain(vectors[row])
        if as_json:
            print(json.dumps({term: round(weight, 4) for term, weight in terms}, ensure_ascii=False))
        else:
            print("  ".join(f"{term} {weight:.2f}" for term, weight in terms[:k]))


def encode_passages(
    passages: Path | None,
    run: Path,
    output: Path,
    part: tuple[int, int],
    *,
    pruning: Pruning,
    precision: Precision,
    processes: int,
) -> None:
    """Write the sparse vectors of passages into Parquet shards; what is there already stays.

    Of ``part`` (2, 32) only the second of 32 parts is held in memory and encoded, into a folder of its own.
    """
    number, parts = part
    if parts > 1:
        output = output / f"part-{number:05d}-of-{parts:05d}"
    ids, texts = [], []
    for row in read_records(passages or run / "passages.jsonl", Passage):
        if part_of(row.id, parts) == number:
            ids.append(row.id)
            texts.append(row.text)
    with quiet_transformers():
        written = encode_to_shards(
            run / "model", ids, texts, output, pruning=pruning, precision=precision, processes=processes
        )
    print(f"{len(ids):,} passages in {output}, {written} shards written now")


def _excerpt(text: str, characters: int = 110) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= characters else flat[: characters - 1] + "…"
