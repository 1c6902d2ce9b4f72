"""The two ways a sparse encoder learns: its head over cached states, or every layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kosparse.config import TrainSparseConfig
from kosparse.sparse.head import Head, find_head, set_output
from kosparse.sparse.head_model import HeadModel, activate, terms_of
from kosparse.sparse.regularizers import flops
from kosparse.sparse.states import EncoderStates
from kosparse.sparse.winners import find_winners
from kosparse.sparse.wishes import Wishes

_FOLLOWED = 2000
"""Terms followed per passage, besides its own."""
_REGULARIZED = 256
"""Terms drawn per step to estimate the FLOPS of all."""
_MARGIN = 0.5
"""Weight from which on nothing more is asked of a translation."""

Terms = NDArray[np.int64]


class HeadStudent:
    """Ranks all passages exactly at the cost of a few hundred terms a step: see ``winners``.

    Args:
        head: Of the backbone.
        states: Encoder states of all passages.
        query_weights: Where the query side starts, shape [terms].
        wishes: Dictionary supervision.
        seed: Of the terms drawn for regularization.
    """

    def __init__(self, head: Head, states: EncoderStates, query_weights: Tensor, wishes: Wishes, seed: int) -> None:
        always = [np.unique(np.append(states.pieces_of(row), wishes.terms_of(row))) for row in range(len(states))]
        winners = find_winners(states, head, most=_FOLLOWED, always=[row.astype(np.int64) for row in always])
        self.model = HeadModel(head.decoder.weight.detach(), head.decoder.bias.detach(), query_weights, winners)
        self.wishes, self.random = wishes, np.random.default_rng(seed)
        self.vocabulary = len(query_weights)

    def groups(self, config: TrainSparseConfig) -> list[dict[str, Any]]:
        """Rows and bias; the query weights apart."""
        model = self.model
        return [
            {"params": [model.rows], "lr": config.learning_rate},
            {"params": [model.bias], "lr": 10 * config.learning_rate},
            {"params": [model.query], "lr": config.query_learning_rate},
        ]

    def scores(self, queries: Sequence[Terms], passages: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See ``training.Student.scores``; ``passages`` are all of them."""
        terms = terms_of(list(queries))
        drawn = np.sort(self.random.choice(self.vocabulary, min(_REGULARIZED, self.vocabulary), replace=False))
        both = np.union1d(terms, drawn)
        weights = self.model.weights(both)
        asked = weights[:, torch.from_numpy(np.searchsorted(both, terms))]
        sample = weights[:, torch.from_numpy(np.searchsorted(both, drawn))]
        penalty = flops(sample) * (self.vocabulary / len(drawn))
        return self.model.scores(asked, terms, list(queries)), penalty

    @torch.no_grad()
    def active_terms(self) -> float:
        """Mean active terms per passage, from a fixed draw of 600 terms."""
        drawn = np.random.default_rng(0).choice(self.vocabulary, min(600, self.vocabulary), replace=False)
        return float((self.model.weights(np.sort(drawn)) > 0).float().mean() * self.vocabulary)

    def dictionary(self, passages: Sequence[int]) -> Tensor:
        """Hinge on the weights of translations, over a draw of passages that want some."""
        wanting = self.wishes.draw(self.random, 32)
        if not wanting:
            return torch.zeros(())
        terms = np.unique(np.concatenate([self.wishes.terms_of(passage) for passage in wanting]))
        weights = self.model.weights(terms)
        return self.wishes.hinge(weights, terms, wanting, _MARGIN)

    def finish(self, network: Any) -> Tensor:
        """Put what was learnt into the network; return the query weights."""
        set_output(network, find_head(network), self.model.rows.detach(), self.model.bias.detach())
        return self.model.query.detach().relu()


class FullStudent:
    """Every layer learns; each step runs the passages its batch speaks of through the network.

    Args:
        network: A masked language model, on its device.
        pieces: Token ids of every passage, special tokens included.
        pad: Id of the padding token.
        query_weights: Where the query side starts, shape [terms].
        wishes: Dictionary supervision.
    """

    def __init__(
        self, network: Any, pieces: Sequence[Sequence[int]], pad: int, query_weights: Tensor, wishes: Wishes
    ) -> None:
        self.network, self.pieces, self.pad, self.wishes = network, pieces, pad, wishes
        self.query = nn.Parameter(query_weights.clone())
        self._last = (torch.zeros(0, len(query_weights)), [0])

    def groups(self, config: TrainSparseConfig) -> list[dict[str, Any]]:
        """All weights of the network; the query weights apart."""
        return [
            {"params": list(self.network.parameters()), "lr": config.learning_rate},
            {"params": [self.query], "lr": config.query_learning_rate},
        ]

    def scores(self, queries: Sequence[Terms], passages: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See ``training.Student.scores``."""
        weights = self._weights(passages)
        self._last = (weights, list(passages))
        presence = torch.zeros(len(queries), len(self.query))
        for line, query in enumerate(queries):
            presence[line, torch.from_numpy(query)] = 1.0
        return (presence * torch.relu(self.query)) @ weights.T, flops(weights)

    def active_terms(self) -> float:
        """Mean active terms of the passages scored last."""
        return float((self._last[0] > 0).float().sum(1).mean())

    def dictionary(self, passages: Sequence[int]) -> Tensor:
        """Hinge on the weights of translations in the passages scored last."""
        weights, scored = self._last
        wanting = [passage for passage in scored if len(self.wishes.terms_of(passage))]
        if not wanting:
            return torch.zeros(())
        lines = torch.tensor([scored.index(passage) for passage in wanting])
        terms = np.unique(np.concatenate([self.wishes.terms_of(passage) for passage in wanting]))
        table = torch.zeros(max(wanting) + 1, len(terms)).index_put(
            (torch.tensor(wanting),), weights[lines][:, torch.from_numpy(terms)]
        )
        return self.wishes.hinge(table, terms, wanting, _MARGIN)

    def finish(self, network: Any) -> Tensor:
        """The network is trained already; return the query weights."""
        return self.query.detach().relu()

    def _weights(self, passages: Sequence[int]) -> Tensor:
        rows = [self.pieces[passage] for passage in passages]
        longest = max(len(row) for row in rows)
        ids = torch.tensor([[*row, *[self.pad] * (longest - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        device = self.network.device
        logits = self.network(input_ids=ids.to(device), attention_mask=mask.to(device)).logits.cpu()
        return activate(logits.masked_fill(mask[..., None] == 0, -1e4).amax(1))
