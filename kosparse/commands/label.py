"""``kosparse label``: a page to judge a user's own queries on, and its judgements as qrels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kosparse.errors import InputError
from kosparse.evaluation.labelling import pool, read_judged, read_queries, render, write_qrels
from kosparse.evaluation.ranking import Run
from kosparse.evaluation.systems import Texts, bm25_system, dense_system
from kosparse.jsonl import read_records, write_lines
from kosparse.records import Document, Passage

SYSTEMS = ("bm25_kiwi", "dense", "sparse")


def make(queries: Path, run: Path, systems: Sequence[str], depth: int, output: Path, seed: int = 13) -> None:
    """Write the page.

    Args:
        queries: One per line, or a BEIR ``queries.jsonl``.
        run: A finished run's folder.
        systems: Of ``SYSTEMS``.
        depth: Documents taken from each.
        output: The HTML file.
        seed: Of the shuffle.

    Raises:
        InputError: No queries, no run, or no system finds anything.
    """
    asked = read_queries(queries)
    documents = list(read_records(run / "documents.jsonl", Document))
    texts = Texts(list(asked), list(asked.values()))
    pooled = pool([_run(name, run, texts, documents, depth) for name in systems], texts.ids, depth, seed)
    if not any(pooled.values()):
        raise InputError("no system found a document for these queries", where=str(queries), fix="Ask others.")
    known = {document.id: (document.title, document.text) for document in documents}
    write_lines(output, [render(pooled, asked, known)])
    nothing = [asked[name] for name, found in pooled.items() if not found]
    print(f"{len(asked) - len(nothing)} queries, {sum(map(len, pooled.values()))} judgements to make: {output}")
    if nothing:
        print(f"nothing was found for {len(nothing)}: " + ", ".join(nothing[:5]))
    print(f"Open it in a browser, save, then: kosparse label read judgements.json --output {output.parent}/labelled")


def read(files: Sequence[Path], output: Path) -> None:
    """Turn saved judgements into ``queries.jsonl`` and ``qrels/test.tsv``.

    Raises:
        InputError: A file is not what the page saves, or nothing was judged.
    """
    useful, useless, count = write_qrels(read_judged(files), output)
    print(f"{count} judgements; {useful} queries have a relevant document, {useless} have none")
    print(f"Use them: make run CORPUS=... QUERIES={output}/queries.jsonl QRELS={output}/qrels/test.tsv")


def _run(name: str, run: Path, queries: Texts, documents: Sequence[Document], depth: int) -> Run:
    if name == "bm25_kiwi":
        from kosparse.corpus.morphemes import content_morphemes_of

        whole = Texts([row.id for row in documents], [row.searched for row in documents])
        return bm25_system(queries, whole, content_morphemes_of, depth).run
    if name == "dense":
        from kosparse.adapters.embedder import open_embedder

        cuts = list(read_records(run / "passages.jsonl", Passage))
        texts = Texts([row.id for row in cuts], [row.text for row in cuts])
        return dense_system(queries, texts, [row.document_id for row in cuts], open_embedder(), depth).run
    from kosparse.sparse.search import SparseIndex

    index = SparseIndex.open(run / "model", run / "passages.jsonl", run / "index")
    return {
        query_id: [(hit.document_id, hit.score) for hit in index.search(text, depth)]
        for query_id, text in zip(queries.ids, queries.texts, strict=True)
    }
