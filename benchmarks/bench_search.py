"""Exact search over many sparse documents, as ``evaluate`` does it: seconds and memory.

    python -m benchmarks.bench_search
    python -m benchmarks.bench_search --seismic --documents 100000

Weights are drawn: terms by Zipf's law, as many per document as ``train_sparse.active_dims`` keeps. What is
measured is the search, not the quality. ``--seismic`` sets an approximate engine beside it (SEISMIC, Bruch et al.,
SIGIR 2024; ``pip install pyseismic-lsr``), with its recall of what the exact search finds.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.report import finish
from kosparse.evaluation.ranking import Run
from kosparse.evaluation.systems import sparse_run

_TERMS, _QUERY_TERMS, _DEPTH = 30_000, 5, 100
_HEAP_FACTORS = (1.0, 0.7, 0.4)
"""SEISMIC's: the lower, the more blocks of postings are passed over."""


def main() -> None:
    """Search collections of growing size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--active-dims", type=int, default=150)
    parser.add_argument("--seismic", action="store_true", help="beside SEISMIC, for one collection size")
    options = parser.parse_args()
    if options.seismic:
        beside_seismic(options.documents[0], options.queries, options.active_dims)
        return
    rows = [measure(count, options.queries, options.active_dims) for count in options.documents]
    finish(
        "search",
        rows,
        command="python -m benchmarks.bench_search",
        notes=["drawn weights, terms by Zipf's law; memory is the process's highest so far, its index included"],
        packages=["numpy", "scipy"],
    )


def measure(documents: int, queries: int, active: int) -> dict[str, float]:
    """Search one collection."""
    random = np.random.default_rng(13)
    index, asked = draw(random, documents, active), draw(random, queries, _QUERY_TERMS)
    run, seconds = exact(index, asked)
    return {
        "documents": documents,
        "active_dims": round(index.nnz / documents, 1),
        "queries": len(run),
        "seconds": round(seconds, 1),
        "queries_per_second": round(queries / seconds, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }


def exact(index: csr_matrix, asked: csr_matrix) -> tuple[Run, float]:
    """Rankings of the exact search, and its seconds."""
    started = time.monotonic()
    run = sparse_run(names(asked), names(index), asked, index, _DEPTH)
    return run, time.monotonic() - started


def names(table: csr_matrix) -> list[str]:
    """An id for each row."""
    return [str(number) for number in range(table.shape[0])]


def beside_seismic(documents: int, queries: int, active: int) -> None:
    """The exact search and SEISMIC's over the same weights, one thread each."""
    try:
        from seismic import SeismicDataset, SeismicIndex, get_seismic_string
    except ImportError as error:
        raise SystemExit("SEISMIC is not installed: nothing measured. Try `pip install pyseismic-lsr`.") from error
    random = np.random.default_rng(13)
    index, asked = draw(random, documents, active), draw(random, queries, _QUERY_TERMS)
    truth, seconds = exact(index, asked)
    rows = [_row("exact", None, 0.0, truth, truth, seconds)]
    collection, kind = SeismicDataset(), get_seismic_string()
    started = time.monotonic()
    for name, (terms, weights) in zip(names(index), _strings(index, kind), strict=True):
        collection.add_document(name, terms, weights)
    built = SeismicIndex.build_from_dataset(collection, num_threads=1)
    build = time.monotonic() - started
    given = list(zip(*_strings(asked, kind), strict=True))
    for factor in _HEAP_FACTORS:
        started = time.monotonic()
        found = built.batch_search(
            np.array(names(asked), dtype=kind),
            *map(list, given),
            k=_DEPTH,
            query_cut=_QUERY_TERMS,
            heap_factor=factor,
            num_threads=1,
        )
        seconds = time.monotonic() - started
        run: Run = {ranking[0][0]: [(name, score) for _, score, name in ranking] for ranking in found if ranking}
        rows.append(_row("SEISMIC", factor, build, truth, run, seconds))
    finish(
        "search_seismic",
        rows,
        command=f"python -m benchmarks.bench_search --seismic --documents {documents}",
        notes=[
            f"{documents:,} documents, {active} drawn terms each; queries of {_QUERY_TERMS} terms; one thread",
            "drawn weights have no groups of like documents, which is what SEISMIC's blocks live on: recall of real "
            "weights may be higher",
            "recall: share of the exact search's first 10 or 100; build: seconds until the index can be asked",
        ],
        packages=["numpy", "scipy", "pyseismic-lsr"],
    )


def _row(engine: str, factor: float | None, build: float, truth: Run, run: Run, seconds: float) -> dict[str, Any]:
    def recall(depth: int) -> float:
        shares = [
            len({name for name, _ in ranking[:depth]} & {name for name, _ in run.get(query, [])[:depth]})
            / len(ranking[:depth])
            for query, ranking in truth.items()
            if ranking
        ]
        return round(float(np.mean(shares)), 4)

    return {
        "engine": engine,
        "heap_factor": factor,
        "recall@10": recall(10),
        "recall@100": recall(100),
        "queries_per_second": round(len(truth) / seconds, 1),
        "build": round(build, 1),
    }


def _strings(table: csr_matrix, kind: Any) -> Iterator[tuple[Any, Any]]:
    """Terms, as text of this NumPy type, and weights of each row."""
    terms = np.array([str(term) for term in range(table.shape[1])], dtype=kind)
    for start, end in pairwise(table.indptr):
        yield terms[table.indices[start:end]], table.data[start:end]


def draw(random: np.random.Generator, rows: int, active: int) -> csr_matrix:
    """Weights in (0, 1] at ``active`` terms per row; a term drawn twice adds up."""
    popularity = np.cumsum(1 / np.arange(1, _TERMS + 1))
    indices = np.empty(rows * active, dtype=np.int32)
    for start in range(0, len(indices), 10_000_000):
        part = slice(start, min(start + 10_000_000, len(indices)))
        drawn = random.random(part.stop - part.start) * popularity[-1]
        indices[part] = np.searchsorted(popularity, drawn)
    data = random.random(len(indices), dtype=np.float32) + np.float32(1e-3)
    starts = np.arange(0, len(indices) + 1, active, dtype=np.int64 if len(indices) > 2**31 - 1 else np.int32)
    table = csr_matrix((data, indices, starts), shape=(rows, _TERMS), copy=False)
    table.sum_duplicates()
    return table


if __name__ == "__main__":
    main()
