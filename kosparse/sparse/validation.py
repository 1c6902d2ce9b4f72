"""How good a state of the training is on queries it does not learn from."""

from __future__ import annotations

import torch
from torch import Tensor


def ndcg_of_one(scores: Tensor, own: Tensor) -> float:
    """Mean nDCG@10 when exactly one passage is right: ``1 / log2(1 + rank)``, ties at their middle rank.

    Args:
        scores: Shape [queries, passages].
        own: Column of each query's right passage: int64, shape [queries].
    """
    mine = scores.gather(1, own[:, None])
    rank = (scores > mine).sum(1) + ((scores == mine).sum(1) - 1) / 2 + 1
    return float(torch.where(rank <= 10, 1 / torch.log2(1 + rank), 0.0).mean())
