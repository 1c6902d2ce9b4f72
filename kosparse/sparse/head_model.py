"""What ``train="head"`` learns: the decoder's rows and bias, and the query weights."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kosparse.sparse.activation import Activation
from kosparse.sparse.winners import Winners

UNFOLLOWED = -1e4
"""Logit of terms that are not followed."""


class HeadModel(nn.Module):
    """Weights of chosen terms in all passages, and scores of queries, differentiable in the head."""

    def __init__(self, rows: Tensor, bias: Tensor, query: Tensor, winners: Winners, activation: Activation) -> None:
        super().__init__()
        self.rows = nn.Parameter(rows.clone())
        self.bias = nn.Parameter(bias.clone())
        self.query = nn.Parameter(query.clone())
        self.winners, self.activation = winners, activation

    def logits(self, terms: NDArray[np.int64]) -> Tensor:
        """Logits of some terms in every passage, far below zero where not followed: shape [passages, len(terms)]."""
        entries, bounds = self.winners.select(terms)
        picked = torch.from_numpy(terms)
        column = torch.repeat_interleave(torch.arange(len(terms)), torch.from_numpy(np.diff(bounds)))
        states = self.winners.states.index_select(0, self.winners.rows[entries])
        logits = _Dots.apply(self.rows[picked], states, bounds) + self.bias[picked].index_select(0, column)
        place = self.winners.passages[entries] * len(terms) + column
        table = torch.full((self.winners.passage_count * len(terms),), UNFOLLOWED)
        return table.index_copy(0, place, logits).view(-1, len(terms))

    def weights(self, terms: NDArray[np.int64]) -> Tensor:
        """Weights of some terms in every passage: shape [passages, len(terms)], >= 0."""
        return self.activation(self.logits(terms))

    def scores(self, weights: Tensor, terms: NDArray[np.int64], queries: list[NDArray[np.int64]]) -> Tensor:
        """Scores of queries against every passage: shape [queries, passages].

        Args:
            weights: Of ``terms``, shape [passages, len(terms)].
            terms: Ascending; holds every term of the queries.
            queries: The distinct terms of each query.
        """
        presence = torch.zeros(len(queries), len(terms))
        for line, query in enumerate(queries):
            presence[line, np.searchsorted(terms, query)] = 1.0
        return (presence * torch.relu(self.query[torch.from_numpy(terms)])) @ weights.T


class _Dots(torch.autograd.Function):
    """Dot products of each term's row with the states that belong to it; states get no gradient.

    The entries of a term lie side by side, so a plain matrix-vector product per term does it, without
    a copy of the row per entry; going back, only entries with a gradient (active ones) are visited.
    """

    @staticmethod
    def forward(ctx: Any, output: Tensor, states: Tensor, bounds: NDArray[np.int64]) -> Tensor:
        ctx.save_for_backward(states)
        ctx.bounds = bounds
        logits = torch.empty(len(states))
        for term, (start, end) in enumerate(pairwise(bounds.tolist())):
            torch.mv(states[start:end].float(), output[term], out=logits[start:end])
        return logits

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (states,), (gradient,) = ctx.saved_tensors, gradients
        output = torch.zeros(len(ctx.bounds) - 1, states.shape[1])
        for term, (start, end) in enumerate(pairwise(ctx.bounds.tolist())):
            active = gradient[start:end].nonzero().squeeze(1)
            if len(active):
                output[term] = gradient[start:end][active] @ states[start:end][active].float()
        return output, None, None
