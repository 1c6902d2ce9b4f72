"""Exact search over many sparse documents, as ``evaluate`` does it: seconds and memory.

    python -m benchmarks.bench_search

Weights are drawn: terms by Zipf's law, as many per document as ``train_sparse.active_dims`` keeps. What is
measured is the search, not the quality.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.report import finish
from kosparse.evaluation.systems import sparse_run

_TERMS, _QUERY_TERMS, _DEPTH = 30_000, 5, 100


def main() -> None:
    """Search collections of growing size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--active-dims", type=int, default=150)
    options = parser.parse_args()
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
    started = time.monotonic()
    names = [str(number) for number in range(documents)]
    run = sparse_run([str(number) for number in range(queries)], names, asked, index, _DEPTH)
    seconds = time.monotonic() - started
    return {
        "documents": documents,
        "active_dims": round(index.nnz / documents, 1),
        "queries": len(run),
        "seconds": round(seconds, 1),
        "queries_per_second": round(queries / seconds, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }


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
