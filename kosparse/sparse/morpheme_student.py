"""The two ways a morpheme model learns: rows, biases and query weights over cached states, or every layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kosparse.config import TrainSparseConfig
from kosparse.sparse.activation import activate
from kosparse.sparse.morpheme_head import MorphemeHead, match_units, prior
from kosparse.sparse.morpheme_modules import MorphemeDocument
from kosparse.sparse.regularizers import flops
from kosparse.sparse.states import EncoderStates
from kosparse.sparse.student import MARGIN, REGULARIZED, SAMPLED, Margins, Terms, presence
from kosparse.sparse.students import padded
from kosparse.sparse.wishes import Wishes


class MorphemeStudent:
    """Ranks all passages exactly in every step, at the cost of a few hundred units.

    What the peak rows say of each passage is kept, 4 bytes per passage and unit together with the prior; the
    rows themselves stay as they are.

    Args:
        head: Where training starts.
        states: Encoder states of all passages.
        saturation: Of the passages' own units, shape [passages, units].
        query_weights: Where the query side starts, shape [units].
        wishes: Dictionary supervision.
        seed: Of the units drawn for regularization.
    """

    def __init__(
        self,
        head: MorphemeHead,
        states: EncoderStates,
        saturation: Tensor,
        query_weights: Tensor,
        wishes: Wishes,
        seed: int,
    ) -> None:
        self.units = len(query_weights)
        self.peak, self.center = match_units(head.peak, states)
        self.saturation = saturation.half()
        self.mean = nn.Parameter(head.mean.detach().clone())
        self.bias = nn.Parameter(head.bias.detach().clone())
        self.query = nn.Parameter(query_weights.clone())
        self.threshold = head.threshold.detach().clone()
        self.wishes, self.random = wishes, np.random.default_rng(seed)
        drawn = np.random.default_rng(0).choice(self.units, min(SAMPLED, self.units), replace=False)
        self.sample: Terms = np.sort(drawn)

    def groups(self, config: TrainSparseConfig) -> list[dict[str, Any]]:
        """Rows and biases; the query weights apart."""
        return [
            {"params": [self.mean], "lr": config.learning_rate},
            {"params": [self.bias], "lr": 10 * config.learning_rate},
            {"params": [self.query], "lr": config.query_learning_rate},
        ]

    def scores(self, queries: Sequence[Terms], passages: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See ``Student.scores``; ``passages`` are all of them."""
        asked = np.unique(np.concatenate(list(queries)))
        drawn = np.sort(self.random.choice(self.units, min(REGULARIZED, self.units), replace=False))
        weighed = presence(queries, asked) * torch.relu(self.query[torch.from_numpy(asked)])
        penalty = flops(activate(self._logits(drawn))) * (self.units / len(drawn))
        return weighed @ activate(self._logits(asked)).T, penalty

    def dictionary(self, passages: Sequence[int]) -> Tensor:
        """Hinge on the weights of translations, over a draw of passages that want some."""
        wanting = self.wishes.draw(self.random, 32)
        if not wanting:
            return torch.zeros(())
        terms = np.unique(np.concatenate([self.wishes.terms_of(passage) for passage in wanting]))
        return self.wishes.hinge(activate(self._logits(terms)), terms, wanting, MARGIN)

    @torch.no_grad()
    def margins(self) -> Margins:
        """Of every passage and 600 units; a passage's own units are active whatever the threshold."""
        logits, own = self._logits(self.sample), self.saturation[:, torch.from_numpy(self.sample)] > 0
        return _margins(logits, own, self.units / logits.numel())

    def shift(self, amount: float) -> None:
        """Raise the threshold."""
        self.threshold += amount

    @torch.no_grad()
    def finish(self, head: MorphemeHead) -> Tensor:
        """Put what was learnt into the head; return the query weights."""
        head.mean.copy_(self.mean)
        head.bias.copy_(self.bias)
        head.threshold.copy_(self.threshold)
        return self.query.detach().relu()

    def _logits(self, terms: Terms) -> Tensor:
        """Of some units in every passage: shape [passages, len(terms)]."""
        chosen = torch.from_numpy(terms)
        read = self.center @ self.mean[chosen].T + self.bias[chosen]
        return self.peak[:, chosen].float() + read + prior(self.saturation[:, chosen].float(), self.threshold)


class MorphemeNetwork:
    """The document side of a morpheme model for ``FullStudent``: encoder and head learn together.

    Args:
        document: On its device.
        pieces: Token ids of every passage, special tokens included.
        saturation: Of the passages' own units, shape [passages, units].
    """

    def __init__(self, document: MorphemeDocument, pieces: Sequence[Sequence[int]], saturation: Tensor) -> None:
        self.document, self.pieces, self.saturation = document, pieces, saturation.half()

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
        return self.document.logits(ids, mask, self.saturation[list(passages)].float().to(device)).cpu()

    def margins(self, logits: Tensor, passages: Sequence[int]) -> Margins:
        """A passage's own units are active whatever the threshold."""
        return _margins(logits, self.saturation[list(passages)] > 0, 1 / len(passages))

    def shift(self, amount: float) -> None:
        """Raise the threshold."""
        self.document.head.threshold += amount


def _margins(logits: Tensor, own: Tensor, share: float) -> Margins:
    return Margins(logits[~own], share, share * float((logits[own] > 0).sum()))
