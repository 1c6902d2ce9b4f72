"""Mine hard negatives for the kept pairs."""

from __future__ import annotations

import hashlib
from typing import Any

from kosparse.config import MineNegativesConfig
from kosparse.export.hashing import file_hash
from kosparse.jsonl import read_records, write_records
from kosparse.records import Pair, Passage
from kosparse.settings import settings
from kosparse.sparse.mined import MinedBlocks
from kosparse.sparse.negatives import bm25_miner, dense_miner
from kosparse.steps.runtime import InPath, Metrics, OutPath, step


@step
def run(config: MineNegativesConfig, *, kept: InPath, passages: InPath, mined: OutPath) -> Metrics:
    """Rank the passages for each kept pair, by BM25 and when asked by vectors, and take those clearly below its own.

    Blocks of pairs that are mined are kept until the step is done: one that was killed goes on with the others.
    """
    pairs, collection = list(read_records(kept, Pair)), list(read_records(passages, Passage))
    made_from, negatives = [config.model_dump_json(), file_hash(kept), file_hash(passages)], []
    embedder = None
    if config.dense_per_pair:
        from kosparse.adapters.embedder import open_embedder

        embedder = open_embedder()
        made_from.append(embedder.fingerprint)
    limits: dict[str, Any] = {"depth": config.depth, "max_share_of_positive": config.max_share_of_positive}
    blocks = MinedBlocks(settings().cache / "mined", hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:24])
    if config.per_pair:
        negatives += blocks.mine("bm25", pairs, lambda: bm25_miner(collection, per_pair=config.per_pair, **limits))
    if embedder is not None:
        dense, most = embedder, config.dense_per_pair
        negatives += blocks.mine("dense", pairs, lambda: dense_miner(collection, dense, per_pair=most, **limits))
    write_records(mined, negatives)
    blocks.forget()
    covered = len({negative.pair_id for negative in negatives})
    return {
        "negatives/pairs": len(pairs),
        "negatives/mined": len(negatives),
        "negatives/dense": sum(negative.kind == "dense" for negative in negatives),
        "negatives/pairs_without": len(pairs) - covered,
    }
