"""What a sparse encoder in training can do, whatever part of it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from kosparse.config import TrainSparseConfig

Terms = NDArray[np.int64]
"""Distinct dimensions, ascending."""
Asked = NDArray[np.int64]
"""What a student reads of a query: its terms where these have weights of their own, else its place among the queries;
empty where no unit of the query is known."""
REGULARIZED = 256
"""Dimensions drawn per step to estimate the FLOPS of all."""
SAMPLED = 600
"""Dimensions drawn once to count the active ones."""
ENCODED = 256
"""Passages, or dimensions, whose weights are held densely at once."""
MARGIN = 0.5
"""Weight from which on nothing more is asked of a translation."""


@dataclass(frozen=True)
class Margins:
    """How far dimensions are from being active, for a sample of passages and dimensions."""

    logits: Tensor
    """Of the pairs whose activation a shift changes, any shape."""
    share: float
    """Mean active dimensions per passage that one active pair of the sample stands for."""
    fixed: float = 0.0
    """Mean active dimensions per passage that no shift changes."""

    @property
    def active(self) -> float:
        """Mean active dimensions per passage."""
        return self.fixed + self.share * float((self.logits > 0).sum())


@dataclass(frozen=True)
class Scored:
    """What a student says of some passages, differentiable."""

    scores: Tensor
    """Of queries against the passages: shape [queries, passages]."""
    weights: Tensor
    """Of the dimensions whose FLOPS are looked at, all or a draw of them: shape [passages, dimensions]."""
    share: float = 1.0
    """Dimensions that one of these stands for."""
    active: Tensor | None = None
    """Active dimensions of each passage when they were counted last, int64, shape [passages]; None where ``weights``
    hold all dimensions."""
    queries: Tensor | None = None
    """Weights of the queries that went through the encoder, shape [queries, dimensions]; None where none did."""


class Student(Protocol):
    """A sparse encoder in training."""

    def groups(self, config: TrainSparseConfig) -> list[dict[str, Any]]:
        """Parameter groups for the optimizer, each with its learning rate."""
        ...

    def scores(self, queries: Sequence[Asked], passages: Sequence[int]) -> Scored:
        """Scores of queries against passages, and the weights that sparsity is asked of."""
        ...

    def count_active(self) -> None:
        """Count the active dimensions of every passage anew, where a step sees a draw of the dimensions only."""
        ...

    def dictionary(self, passages: Sequence[int]) -> Tensor:
        """Penalty for verified translations that are not active."""
        ...

    def vectors(self) -> csr_matrix:
        """Weights of all passages as they are now: shape [passages, terms]."""
        ...

    def weigh(self, queries: Sequence[Asked]) -> Tensor:
        """Weights of some queries as they are now: shape [queries, terms]."""
        ...

    def query_weights(self) -> Tensor | None:
        """Of every term in a query as they are now, >= 0: shape [terms]; None where the encoder gives them."""
        ...

    def reweigh(self, factors: Tensor) -> None:
        """Multiply them, shape [terms]."""
        ...

    def margins(self) -> Margins:
        """Of a sample of passages and dimensions."""
        ...

    def shift(self, amount: float) -> None:
        """Lower every logit that ``margins`` speaks of by ``amount``."""
        ...

    def state(self) -> dict[str, Any]:
        """What ``groups`` does not hold and training changes: tensors, numbers and text."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take ``state`` back."""
        ...

    def read_less(self) -> bool:
        """Hold fewer activations at once from now on; False when that is not possible."""
        ...

    def share_gradients(self) -> None:
        """Give every process of a distributed training the gradients of the whole batch."""
        ...


def weighed(queries: Sequence[Terms], weights: Tensor) -> Tensor:
    """The weight of each term that a query holds, 0 of all others: shape [queries, terms].

    Args:
        queries: The distinct terms of each.
        weights: Of every term, those below 0 count as 0: shape [terms].
    """
    return presence(queries, np.arange(len(weights))) * torch.relu(weights)


def presence(queries: Sequence[Terms], terms: Terms) -> Tensor:
    """1 where a query holds a term, else 0: shape [queries, len(terms)]. ``terms`` holds all of the queries'."""
    table = torch.zeros(len(queries), len(terms))
    for line, query in enumerate(queries):
        table[line, np.searchsorted(terms, query)] = 1.0
    return table
