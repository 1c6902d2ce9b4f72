"""The head of a sparse encoder over word pieces learns, over cached states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix, hstack
from torch import Tensor

from kosparse.config import TrainSparseConfig
from kosparse.sparse.activation import Activation
from kosparse.sparse.head import Head, find_head, set_output
from kosparse.sparse.head_model import UNFOLLOWED, HeadModel
from kosparse.sparse.states import EncoderStates
from kosparse.sparse.student import ENCODED, MARGIN, REGULARIZED, SAMPLED, Margins, Scored, Terms, presence, weighed
from kosparse.sparse.winners import find_winners
from kosparse.sparse.wishes import Wishes

_FOLLOWED = 2000
"""Terms followed per passage, besides its own."""


class HeadStudent:
    """Ranks all passages exactly at the cost of a few hundred terms a step: see ``winners``.

    Args:
        head: Of the backbone.
        states: Encoder states of all passages.
        query_weights: Where the query side starts, shape [terms].
        wishes: Dictionary supervision.
        seed: Of the terms drawn for regularization.
        activation: From logits to weights.
    """

    def __init__(
        self,
        head: Head,
        states: EncoderStates,
        query_weights: Tensor,
        wishes: Wishes,
        seed: int,
        activation: Activation,
    ) -> None:
        always = [np.unique(np.append(states.pieces_of(row), wishes.terms_of(row))) for row in range(len(states))]
        winners = find_winners(states, head, most=_FOLLOWED, always=[row.astype(np.int64) for row in always])
        rows, bias = head.decoder.weight.detach(), head.decoder.bias.detach()
        self.model = HeadModel(rows, bias, query_weights, winners, activation)
        self.wishes, self.random = wishes, np.random.default_rng(seed)
        self.vocabulary, self.active = len(query_weights), torch.zeros(0, dtype=torch.int64)
        drawn = np.random.default_rng(0).choice(self.vocabulary, min(SAMPLED, self.vocabulary), replace=False)
        self.sample: Terms = np.sort(drawn)

    def groups(self, config: TrainSparseConfig) -> list[dict[str, Any]]:
        """Rows and bias; the query weights apart."""
        model = self.model
        return [
            {"params": [model.rows], "lr": config.learning_rate},
            {"params": [model.bias], "lr": 10 * config.learning_rate},
            {"params": [model.query], "lr": config.query_learning_rate},
        ]

    def scores(self, queries: Sequence[Terms], passages: Sequence[int]) -> Scored:
        """See ``Student.scores``; ``passages`` are all of them."""
        terms = np.unique(np.concatenate(list(queries)))
        drawn = np.sort(self.random.choice(self.vocabulary, min(REGULARIZED, self.vocabulary), replace=False))
        both = np.union1d(terms, drawn)
        weights = self.model.weights(both)
        asked = weights[:, torch.from_numpy(np.searchsorted(both, terms))]
        sample = weights[:, torch.from_numpy(np.searchsorted(both, drawn))]
        weighed = presence(queries, terms) * torch.relu(self.model.query[torch.from_numpy(terms)])
        return Scored(weighed @ asked.T, sample, self.vocabulary / len(drawn), self.active)

    def dictionary(self, passages: Sequence[int]) -> Tensor:
        """Hinge on the weights of translations, over a draw of passages that want some."""
        wanting = self.wishes.draw(self.random, 32)
        if not wanting:
            return torch.zeros(())
        terms = np.unique(np.concatenate([self.wishes.terms_of(passage) for passage in wanting]))
        return self.wishes.hinge(self.model.weights(terms), terms, wanting, MARGIN)

    @torch.no_grad()
    def vectors(self) -> csr_matrix:
        """See ``Student.vectors``."""
        every = np.arange(self.vocabulary)
        blocks = [csr_matrix(self.model.weights(every[at : at + ENCODED]).numpy()) for at in every[::ENCODED]]
        return csr_matrix(hstack(blocks))

    @torch.no_grad()
    def weigh(self, queries: Sequence[Terms]) -> Tensor:
        """See ``Student.weigh``."""
        return weighed(queries, self.model.query)

    @torch.no_grad()
    def query_weights(self) -> Tensor:
        """See ``Student.query_weights``."""
        return torch.relu(self.model.query)

    @torch.no_grad()
    def reweigh(self, factors: Tensor) -> None:
        """See ``Student.reweigh``."""
        self.model.query.mul_(factors)

    def count_active(self) -> None:
        """Of all passages, over all dimensions."""
        self.active = torch.from_numpy(self.vectors().getnnz(axis=1).astype(np.int64))

    @torch.no_grad()
    def margins(self) -> Margins:
        """Of every passage and a fixed draw of terms, as far as they are followed."""
        logits = self.model.logits(self.sample)
        return Margins(logits[logits > UNFOLLOWED], self.vocabulary / logits.numel())

    def shift(self, amount: float) -> None:
        """Lower every bias."""
        self.model.bias.data -= amount

    def state(self) -> dict[str, Any]:
        """Where the draws stand, and the active dimensions counted last."""
        return {"random": self.random.bit_generator.state, "active": self.active}

    def restore(self, state: dict[str, Any]) -> None:
        """See ``state``."""
        self.random.bit_generator.state, self.active = state["random"], state["active"]

    def read_less(self) -> bool:
        """The states of all passages are held already."""
        return False

    def share_gradients(self) -> None:
        """One process has them all."""

    def finish(self, network: Any) -> Tensor:
        """Put what was learnt into the network; return the query weights."""
        set_output(network, find_head(network), self.model.rows.detach(), self.model.bias.detach())
        return self.query_weights()
