"""The filters on many pairs: seconds, and memory as the collection grows. Each measured in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from kosparse.adapters.embedder import open_embedder
from kosparse.config import FilterPairsConfig
from kosparse.corpus.morphemes import content_morphemes, sentences_of
from kosparse.jsonl import Records, read_records, write_records
from kosparse.records import Pair, Passage
from kosparse.synthetic.filters import filter_synthetic_pairs

_SIZES = (1, 4, 16)
"""Times the sample collection."""
_COSINE = 0.98

Row = dict[str, Any]


def scale(passages: Sequence[Passage], count: int) -> list[Row]:
    """A row for each size of the collection, and one with near-duplicates by the dense encoder at the first."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        collection, pairs = Path(folder) / "passages.jsonl", Path(folder) / "pairs.jsonl"
        for times in _SIZES:
            grown = list(_grown(passages, times))
            write_records(collection, grown)
            write_records(pairs, _many(grown, count))
            name = f"{len(grown):,} passages"
            rows.append(_row("memory", name, _alone(collection, pairs, 0.0)))
            if times == 1:
                plain = {**rows[0], "what": "throughput", "after": f"without near-duplicates: {rows[0]['after']}"}
                dense = _row(
                    "throughput", f"with near-duplicates by the encoder: {name}", _alone(collection, pairs, _COSINE)
                )
                rows += [plain, dense]
    return rows


def _grown(passages: Sequence[Passage], times: int) -> Iterator[Passage]:
    """The passages, and copies of them with their sentences in another order."""
    rng = random.Random(13)
    yield from passages
    for passage, sentences in zip(passages, sentences_of([row.text for row in passages]), strict=True):
        for number in range(1, times):
            text = " ".join(rng.sample(sentences, len(sentences)))
            yield passage.model_copy(update={"id": f"{passage.id}~{number}", "text": text})


def _many(passages: Sequence[Passage], count: int) -> Iterator[Pair]:
    """Pairs whose queries are two to five words of their passage; some repeat others."""
    rng = random.Random(13)
    for number in range(count):
        passage = rng.choice(passages)
        words, size = passage.text.split(), rng.randint(2, 5)
        begin = rng.randrange(max(1, len(words) - size))
        query = " ".join(words[begin : begin + size])
        of = {"passage_id": passage.id, "document_id": passage.document_id, "origin": "document_to_query"}
        yield Pair.model_validate({"id": str(number), "query": query, **of})


def _alone(collection: Path, pairs: Path, cosine: float) -> dict[str, float]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, collection, pairs, cosine).result()


def _measure(collection: Path, pairs: Path, cosine: float) -> dict[str, float]:
    candidates = list(read_records(pairs, Pair))
    content_morphemes("형태소")  # Kiwi's model is there before
    embedder = None
    with tempfile.TemporaryDirectory() as cache:
        if cosine:
            models = Path(os.environ.get("KOSPARSE_CACHE") or Path.home() / ".cache" / "kosparse") / "models"
            (Path(cache) / "models").symlink_to(models)
            os.environ["KOSPARSE_CACHE"] = cache  # no vector is there before
            embedder = open_embedder()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        config = FilterPairsConfig(judge=False, near_duplicate_cosine=cosine)
        filtered = filter_synthetic_pairs(candidates, Records([collection], Passage), config=config, embedder=embedder)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"seconds": seconds, "grown_mb": (peak - before) / 1024, "peak_mb": peak / 1024}
    return {**found, "pairs": len(candidates), "kept": len(filtered.kept)}


def _row(what: str, name: str, found: dict[str, float]) -> Row:
    took = f"{found['seconds']:.0f} s, +{found['grown_mb']:.0f} MB to {found['peak_mb']:.0f}, {found['kept']:.0f} kept"
    empty = {"precision": "", "interval": "", "recall": ""}
    return {"what": what, "after": f"{name}, {took}", "pairs": int(found["pairs"]), **empty}
