"""The systems compared: BM25, dense, the sparse model, and their fusion. Each gives a run and its cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from kosparse.evaluation.bm25 import Bm25
from kosparse.evaluation.efficiency import Efficiency, sparse_efficiency
from kosparse.evaluation.fusion import fuse
from kosparse.evaluation.ranking import Run, rank
from kosparse.ports import Embedder

Analyse = Callable[[Sequence[str]], Sequence[Sequence[str]]]
"""Texts to token lists, in order."""


@dataclass(frozen=True)
class System:
    """What one system returned, and what it cost."""

    name: str
    run: Run
    efficiency: Efficiency


@dataclass(frozen=True)
class Texts:
    """Texts and their ids, in one order."""

    ids: list[str]
    texts: list[str]


def bm25_system(
    queries: Texts, documents: Texts, analyse: Analyse, depth: int, *, analyse_queries: Analyse | None = None
) -> System:
    """BM25 over whole documents; queries are analysed as documents are unless told otherwise."""
    started = time.monotonic()
    index = Bm25(documents.ids, analyse(documents.texts))
    indexed = time.monotonic()
    tokens = (analyse_queries or analyse)(queries.texts)
    run = {query_id: index.search(query, depth) for query_id, query in zip(queries.ids, tokens, strict=True)}
    finished = time.monotonic()
    cost = Efficiency(index_bytes=index.postings * 8, **_seconds(started, indexed, finished, len(queries.ids)))
    return System("bm25_kiwi", run, cost)


def dense_system(
    queries: Texts, passages: Texts, document_ids: Sequence[str], embedder: Embedder, depth: int
) -> System:
    """Cosine of dense vectors, exact search; a document scores as its best passage.

    Args:
        queries: The evaluated queries.
        passages: All passages.
        document_ids: The document of each passage.
        embedder: Gives the vectors; from its cache where it has them, so seconds may be those of reading.
        depth: Documents kept per query.
    """
    started = time.monotonic()
    vectors = embedder.encode(passages.texts, "passage")
    indexed = time.monotonic()
    asked = embedder.encode(queries.texts, "query")
    run = rank(queries.ids, document_ids, lambda block: asked[block] @ vectors.T, depth)
    finished = time.monotonic()
    cost = Efficiency(index_bytes=int(vectors.size) * 4, **_seconds(started, indexed, finished, len(queries.ids)))
    return System("dense", run, cost)


def sparse_system(
    queries: Texts,
    document_ids: Sequence[str],
    encode_documents: Callable[[], csr_matrix],
    encode_queries: Callable[[], csr_matrix],
    depth: int,
) -> tuple[System, csr_matrix, csr_matrix]:
    """Dot product of sparse weights, exact search; a document scores as its best passage.

    Returns:
        The system, the query weights [queries, terms] and the passage weights [passages, terms].
    """
    started = time.monotonic()
    index = csr_matrix(encode_documents())
    indexed = time.monotonic()
    asked = csr_matrix(encode_queries())
    run = sparse_run(queries.ids, document_ids, asked, index, depth)
    finished = time.monotonic()
    cost = sparse_efficiency(asked, index).model_copy(update=_seconds(started, indexed, finished, len(queries.ids)))
    return System("sparse", run, cost), asked, index


def sparse_run(
    query_ids: Sequence[str], document_ids: Sequence[str], asked: csr_matrix, index: csr_matrix, depth: int
) -> Run:
    """Rank documents by the dot product of weights [queries, terms] and [passages, terms]."""
    by_term = index.T.tocsr()
    return rank(query_ids, document_ids, lambda block: _dense(asked[block] @ by_term), depth, above=0.0)


def fusion_system(name: str, first: System, second: System, *, weight: float, depth: int) -> System:
    """z-score fusion of two systems, ``weight`` the share of the first; its cost is the sum of theirs."""
    seconds = (first.efficiency.search_seconds or 0.0) + (second.efficiency.search_seconds or 0.0)
    size = (first.efficiency.index_bytes or 0) + (second.efficiency.index_bytes or 0)
    run = fuse(first.run, second.run, weight=weight, depth=depth)
    speed = len(run) / seconds if seconds else None
    return System(name, run, Efficiency(index_bytes=size, search_seconds=seconds, queries_per_second=speed))


def _dense(scores: csr_matrix) -> NDArray[np.float32]:
    return np.asarray(scores.todense(), dtype=np.float32)


def _seconds(started: float, indexed: float, finished: float, queries: int) -> dict[str, float]:
    searching = finished - indexed
    return {
        "encode_seconds": round(indexed - started, 3),
        "search_seconds": round(searching, 3),
        "queries_per_second": round(queries / searching, 1) if searching else 0.0,
    }
