"""The two ways a sparse encoder over word pieces learns: its head over cached states, or every layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from kosparse.config import TrainSparseConfig
from kosparse.sparse.activation import activate
from kosparse.sparse.fused_head import max_logits
from kosparse.sparse.head import Head, find_head, set_output
from kosparse.sparse.head_model import UNFOLLOWED, HeadModel
from kosparse.sparse.regularizers import flops
from kosparse.sparse.states import EncoderStates
from kosparse.sparse.student import MARGIN, REGULARIZED, SAMPLED, Margins, Terms, presence
from kosparse.sparse.winners import find_winners
from kosparse.sparse.wishes import Wishes

_FOLLOWED = 2000
"""Terms followed per passage, besides its own."""
_CHECKED, _GROUP = 128, 16
"""Passages whose active dimensions a whole network is held by, and how many it reads at a time."""


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

    def scores(self, queries: Sequence[Terms], passages: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See ``Student.scores``; ``passages`` are all of them."""
        terms = np.unique(np.concatenate(list(queries)))
        drawn = np.sort(self.random.choice(self.vocabulary, min(REGULARIZED, self.vocabulary), replace=False))
        both = np.union1d(terms, drawn)
        weights = self.model.weights(both)
        asked = weights[:, torch.from_numpy(np.searchsorted(both, terms))]
        sample = weights[:, torch.from_numpy(np.searchsorted(both, drawn))]
        penalty = flops(sample) * (self.vocabulary / len(drawn))
        weighed = presence(queries, terms) * torch.relu(self.model.query[torch.from_numpy(terms)])
        return weighed @ asked.T, penalty

    def dictionary(self, passages: Sequence[int]) -> Tensor:
        """Hinge on the weights of translations, over a draw of passages that want some."""
        wanting = self.wishes.draw(self.random, 32)
        if not wanting:
            return torch.zeros(())
        terms = np.unique(np.concatenate([self.wishes.terms_of(passage) for passage in wanting]))
        return self.wishes.hinge(self.model.weights(terms), terms, wanting, MARGIN)

    @torch.no_grad()
    def margins(self) -> Margins:
        """Of every passage and a fixed draw of terms, as far as they are followed."""
        logits = self.model.logits(self.sample)
        return Margins(logits[logits > UNFOLLOWED], self.vocabulary / logits.numel())

    def shift(self, amount: float) -> None:
        """Lower every bias."""
        self.model.bias.data -= amount

    def finish(self, network: Any) -> Tensor:
        """Put what was learnt into the network; return the query weights."""
        set_output(network, find_head(network), self.model.rows.detach(), self.model.bias.detach())
        return self.model.query.detach().relu()


class DocumentNetwork(Protocol):
    """A whole document encoder in training."""

    def __len__(self) -> int:
        """Number of passages."""
        ...

    def parameters(self) -> list[nn.Parameter]:
        """All that learns."""
        ...

    def logits(self, passages: Sequence[int]) -> Tensor:
        """Shape [passages, terms], on the CPU."""
        ...

    def margins(self, logits: Tensor, passages: Sequence[int]) -> Margins:
        """Of what ``logits`` gave for these passages."""
        ...

    def shift(self, amount: float) -> None:
        """See ``Student.shift``."""
        ...


class PieceNetwork:
    """A masked language model, max-pooled over positions.

    Args:
        network: On its device.
        pieces: Token ids of every passage, special tokens included.
        pad: Id of the padding token.
    """

    def __init__(self, network: Any, pieces: Sequence[Sequence[int]], pad: int) -> None:
        self.network, self.pieces, self.pad = network, pieces, pad

    def __len__(self) -> int:
        """Number of passages."""
        return len(self.pieces)

    def parameters(self) -> list[nn.Parameter]:
        """All weights of the network."""
        return list(self.network.parameters())

    def logits(self, passages: Sequence[int]) -> Tensor:
        """Largest logit over the positions: shape [passages, terms]."""
        ids, mask = padded([self.pieces[passage] for passage in passages], self.pad, self.network.device)
        head = find_head(self.network)
        states = self.network.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
        return max_logits(head.transform(states), mask, head.decoder.weight, head.decoder.bias).cpu()

    def margins(self, logits: Tensor, passages: Sequence[int]) -> Margins:
        """A shift moves every logit."""
        return Margins(logits, 1 / len(passages))

    def shift(self, amount: float) -> None:
        """Lower the decoder's bias."""
        find_head(self.network).decoder.bias.data -= amount


class FullStudent:
    """Every layer learns; each step runs the passages its batch speaks of through the network.

    Args:
        network: The document side.
        query_weights: Where the query side starts, shape [terms].
        wishes: Dictionary supervision.
    """

    def __init__(self, network: DocumentNetwork, query_weights: Tensor, wishes: Wishes) -> None:
        self.network, self.wishes = network, wishes
        self.query = nn.Parameter(query_weights.clone())
        self._logits, self._passages = torch.zeros(0, len(query_weights)), [0]

    def groups(self, config: TrainSparseConfig) -> list[dict[str, Any]]:
        """All weights of the network; the query weights apart."""
        return [
            {"params": self.network.parameters(), "lr": config.learning_rate},
            {"params": [self.query], "lr": config.query_learning_rate},
        ]

    def scores(self, queries: Sequence[Terms], passages: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See ``Student.scores``."""
        self._passages, self._logits = list(passages), self.network.logits(passages)
        weights = activate(self._logits)
        everything = np.arange(len(self.query))
        return (presence(queries, everything) * torch.relu(self.query)) @ weights.T, flops(weights)

    def dictionary(self, passages: Sequence[int]) -> Tensor:
        """Hinge on the weights of translations in the passages scored last."""
        lines = {passage: line for line, passage in enumerate(self._passages) if len(self.wishes.terms_of(passage))}
        if not lines:
            return torch.zeros(())
        terms = np.unique(np.concatenate([self.wishes.terms_of(passage) for passage in lines]))
        weights = activate(self._logits[list(lines.values())][:, torch.from_numpy(terms)])
        return self.wishes.hinge(weights, terms, list(lines), MARGIN, rows=range(len(lines)))

    @torch.no_grad()
    def margins(self) -> Margins:
        """Of passages spread over the collection."""
        sample = list(range(0, len(self.network), max(1, len(self.network) // _CHECKED)))[:_CHECKED]
        groups = (sample[start : start + _GROUP] for start in range(0, len(sample), _GROUP))
        return self.network.margins(torch.cat([self.network.logits(group) for group in groups]), sample)

    def shift(self, amount: float) -> None:
        """Raise the bar for the passages to come."""
        self.network.shift(amount)

    def finish(self, network: Any) -> Tensor:
        """The network is trained already; return the query weights."""
        return self.query.detach().relu()


def padded(rows: Sequence[Sequence[int]], pad: int, device: Any) -> tuple[Tensor, Tensor]:
    """Token ids and their mask, shape [rows, longest]."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids.to(device), mask.to(device)
