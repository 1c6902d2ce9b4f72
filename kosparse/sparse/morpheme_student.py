"""The two ways a morpheme model learns: rows, biases and query weights over cached states, or every layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from torch import Tensor, nn

from kosparse.config import TrainSparseConfig
from kosparse.sparse.full_student import padded
from kosparse.sparse.matches import match_units
from kosparse.sparse.morpheme_head import MorphemeHead, with_prior
from kosparse.sparse.morpheme_modules import MorphemeDocument
from kosparse.sparse.own_units import OwnUnits
from kosparse.sparse.states import EncoderStates
from kosparse.sparse.student import ENCODED, MARGIN, REGULARIZED, Margins, Scored, Terms, presence, weighed
from kosparse.sparse.wishes import Wishes

_CHECKED = 256
"""Passages whose active dimensions the threshold is held by."""


class MorphemeStudent:
    """Ranks all passages exactly in every step, at the cost of a few hundred units.

    What the peak rows say of each passage is kept, 2 bytes per passage and unit; the rows themselves stay as they are.

    Args:
        head: Where training starts.
        states: Encoder states of all passages.
        own: What the passages are known to hold.
        query_weights: Where the query side starts, shape [units].
        wishes: Dictionary supervision.
        seed: Of the units drawn for regularization.
        cache: Folder of encoder states, where the matches may lie; None looks nowhere.
        device: Where the matches are computed that do not lie there.
    """

    def __init__(
        self,
        head: MorphemeHead,
        states: EncoderStates,
        own: OwnUnits,
        query_weights: Tensor,
        wishes: Wishes,
        seed: int,
        cache: Path | None = None,
        device: str = "cpu",
    ) -> None:
        self.units, self.active = len(query_weights), torch.zeros(0, dtype=torch.int64)
        self.peak, self.center = match_units(head.peak, states, cache, device)
        self.own = own
        self.mean = nn.Parameter(head.mean.detach().clone())
        self.bias = nn.Parameter(head.bias.detach().clone())
        self.query = nn.Parameter(query_weights.clone())
        self.threshold, self.activation = head.threshold.detach().clone(), head.activation
        self.wishes, self.random = wishes, np.random.default_rng(seed)
        self.checked = slice(0, None, max(1, len(states) // _CHECKED))

    def groups(self, config: TrainSparseConfig) -> list[dict[str, Any]]:
        """Rows and biases; the query weights apart."""
        return [
            {"params": [self.mean], "lr": config.learning_rate},
            {"params": [self.bias], "lr": 10 * config.learning_rate},
            {"params": [self.query], "lr": config.query_learning_rate},
        ]

    def scores(self, queries: Sequence[Terms], passages: Sequence[int]) -> Scored:
        """See ``Student.scores``; ``passages`` are all of them."""
        asked = np.unique(np.concatenate(list(queries)))
        drawn = np.sort(self.random.choice(self.units, min(REGULARIZED, self.units), replace=False))
        weighed = presence(queries, asked) * torch.relu(self.query[torch.from_numpy(asked)])
        sample = self.activation(self._logits(drawn))
        scores = weighed @ self.activation(self._logits(asked)).T
        return Scored(scores, sample, self.units / len(drawn), self.active)

    def dictionary(self, passages: Sequence[int]) -> Tensor:
        """Hinge on the weights of translations, over a draw of passages that want some."""
        wanting = self.wishes.draw(self.random, 32)
        if not wanting:
            return torch.zeros(())
        terms = np.unique(np.concatenate([self.wishes.terms_of(passage) for passage in wanting]))
        return self.wishes.hinge(self.activation(self._logits(terms)), terms, wanting, MARGIN)

    @torch.no_grad()
    def vectors(self) -> csr_matrix:
        """See ``Student.vectors``."""
        starts = range(0, len(self.peak), ENCODED)
        blocks = [csr_matrix(self.activation(self._logits_of(slice(at, at + ENCODED))).numpy()) for at in starts]
        return csr_matrix(vstack(blocks))

    @torch.no_grad()
    def weigh(self, queries: Sequence[Terms]) -> Tensor:
        """See ``Student.weigh``."""
        return weighed(queries, self.query)

    @torch.no_grad()
    def query_weights(self) -> Tensor:
        """See ``Student.query_weights``."""
        return torch.relu(self.query)

    @torch.no_grad()
    def reweigh(self, factors: Tensor) -> None:
        """See ``Student.reweigh``."""
        self.query.mul_(factors)

    def count_active(self) -> None:
        """Of all passages, over all dimensions."""
        self.active = torch.from_numpy(self.vectors().getnnz(axis=1).astype(np.int64))

    @torch.no_grad()
    def margins(self) -> Margins:
        """Of passages spread over the collection; a passage's own units are active whatever the threshold.

        Every unit counts: training moves those that are asked for, and a draw of units may miss them.
        """
        logits, own = self._logits_of(self.checked), self.own.of(self.checked) != 0
        return _margins(logits, own, 1 / len(logits))

    def shift(self, amount: float) -> None:
        """Raise the threshold."""
        self.threshold += amount

    def state(self) -> dict[str, Any]:
        """The threshold, where the draws stand, and the active dimensions counted last."""
        return {"threshold": self.threshold, "random": self.random.bit_generator.state, "active": self.active}

    def restore(self, state: dict[str, Any]) -> None:
        """See ``state``."""
        self.threshold.copy_(state["threshold"])
        self.random.bit_generator.state, self.active = state["random"], state["active"]

    def read_less(self) -> bool:
        """The states of all passages are held already."""
        return False

    def share_gradients(self) -> None:
        """One process has them all."""

    @torch.no_grad()
    def finish(self, head: MorphemeHead) -> Tensor:
        """Put what was learnt into the head; return the query weights."""
        head.mean.copy_(self.mean)
        head.bias.copy_(self.bias)
        head.threshold.copy_(self.threshold)
        return self.query_weights()

    def _logits(self, units: Terms) -> Tensor:
        """Of some units in all passages: shape [passages, len(units)]."""
        chosen = torch.from_numpy(units)
        read = self.center @ self.mean[chosen].T + self.bias[chosen]
        return with_prior(
            self.peak[:, chosen].float() + read, self.own.of_units(units), self.threshold, self.activation
        )

    def _logits_of(self, passages: slice) -> Tensor:
        """Of all units in some passages: shape [passages, units]."""
        read = self.center[passages] @ self.mean.T + self.bias
        return with_prior(self.peak[passages].float() + read, self.own.of(passages), self.threshold, self.activation)


class MorphemeNetwork:
    """The document side of a morpheme model for ``FullStudent``: encoder and head learn together.

    Args:
        document: On its device.
        pieces: Token ids of every passage, special tokens included.
        own: What the passages are known to hold.
    """

    def __init__(self, document: MorphemeDocument, pieces: Sequence[Sequence[int]], own: OwnUnits) -> None:
        self.document, self.pieces, self.own = document, pieces, own

    @property
    def terms(self) -> int:
        """Units."""
        return self.own.shape[1]

    def __len__(self) -> int:
        """Number of passages."""
        return len(self.pieces)

    def parameters(self) -> list[nn.Parameter]:
        """Of encoder and head."""
        return list(self.document.parameters())

    def logits(self, passages: Sequence[int]) -> Tensor:
        """See ``DocumentNetwork.logits``."""
        device = self.document.head.bias.device
        ids, mask = padded([self.pieces[passage] for passage in passages], self.document.pieces.pad_token_id, device)
        return self.document.logits(ids, mask, self.own.of(list(passages)).to(device)).cpu()

    def margins(self, logits: Tensor, passages: Sequence[int]) -> Margins:
        """A passage's own units are active whatever the threshold."""
        return _margins(logits, self.own.of(list(passages)) != 0, 1 / len(passages))

    def shift(self, amount: float) -> None:
        """Raise the threshold."""
        self.document.head.threshold += amount

    def state(self) -> dict[str, Any]:
        """The threshold."""
        return {"threshold": self.document.head.threshold.cpu()}

    def restore(self, state: dict[str, Any]) -> None:
        """See ``state``."""
        self.document.head.threshold.copy_(state["threshold"])


def _margins(logits: Tensor, own: Tensor, share: float) -> Margins:
    return Margins(logits[~own], share, share * float((logits[own] > 0).sum()))
