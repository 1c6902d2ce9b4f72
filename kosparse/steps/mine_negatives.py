"""Mine hard negatives for the kept pairs."""

from __future__ import annotations

from kosparse.config import MineNegativesConfig
from kosparse.jsonl import read_records, write_records
from kosparse.records import Pair, Passage
from kosparse.sparse.negatives import mine_dense_negatives, mine_negatives
from kosparse.steps.runtime import InPath, Metrics, OutPath, step


@step
def run(config: MineNegativesConfig, *, kept: InPath, passages: InPath, mined: OutPath) -> Metrics:
    """Rank the passages for each kept pair, by BM25 and when asked by vectors, and take those clearly below its own."""
    pairs, collection = list(read_records(kept, Pair)), list(read_records(passages, Passage))
    depth, share = config.depth, config.max_share_of_positive
    negatives = []
    if config.per_pair:
        negatives += mine_negatives(
            pairs, collection, per_pair=config.per_pair, depth=depth, max_share_of_positive=share
        )
    if config.dense_per_pair:
        from kosparse.adapters.embedder import open_embedder

        negatives += mine_dense_negatives(
            pairs,
            collection,
            open_embedder(),
            per_pair=config.dense_per_pair,
            depth=depth,
            max_share_of_positive=share,
        )
    write_records(mined, negatives)
    covered = len({negative.pair_id for negative in negatives})
    return {
        "negatives/pairs": len(pairs),
        "negatives/mined": len(negatives),
        "negatives/dense": sum(negative.kind == "dense" for negative in negatives),
        "negatives/pairs_without": len(pairs) - covered,
    }
