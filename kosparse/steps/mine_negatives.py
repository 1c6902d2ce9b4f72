"""Mine hard negatives for the kept pairs."""

from __future__ import annotations

from kosparse.config import MineNegativesConfig
from kosparse.jsonl import read_records, write_records
from kosparse.records import Pair, Passage
from kosparse.sparse.negatives import mine_negatives
from kosparse.steps.runtime import InPath, Metrics, OutPath, step


@step
def run(config: MineNegativesConfig, *, kept: InPath, passages: InPath, mined: OutPath) -> Metrics:
    """Rank the passages by BM25 for each kept pair and take those clearly below its own."""
    pairs = list(read_records(kept, Pair))
    negatives = mine_negatives(
        pairs,
        list(read_records(passages, Passage)),
        per_pair=config.per_pair,
        depth=config.depth,
        max_share_of_positive=config.max_share_of_positive,
    )
    write_records(mined, negatives)
    covered = len({negative.pair_id for negative in negatives})
    return {
        "negatives/pairs": len(pairs),
        "negatives/mined": len(negatives),
        "negatives/pairs_without": len(pairs) - covered,
    }
