"""How a training in which every layer learns makes weights of queries: by term, or with the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor, nn

from kosparse.sparse.student import Asked, weighed


class QuerySide(Protocol):
    """How queries become weights."""

    def parameters(self) -> list[nn.Parameter]:
        """What learns besides the network."""
        ...

    def weigh(self, queries: Sequence[Asked], read: Callable[[Sequence[int]], Tensor]) -> Tensor:
        """Shape [queries, terms], differentiable.

        Args:
            queries: Some of them.
            read: Weights that the network gives to what it holds at some places.
        """
        ...

    def result(self) -> Tensor | None:
        """The weights of the terms, shape [terms]; None where they have none of their own."""
        ...

    def reweigh(self, factors: Tensor) -> None:
        """Multiply them, shape [terms]."""
        ...


class StaticQueries:
    """Inference-free: a query is its terms, each with a weight that learns.

    Args:
        weights: Where they start, shape [terms].
    """

    def __init__(self, weights: Tensor) -> None:
        self.weights = nn.Parameter(weights.clone())

    def parameters(self) -> list[nn.Parameter]:
        """The weights."""
        return [self.weights]

    def weigh(self, queries: Sequence[Asked], read: Callable[[Sequence[int]], Tensor]) -> Tensor:
        """See ``QuerySide.weigh``; nothing is read."""
        return weighed(queries, self.weights)

    def result(self) -> Tensor:
        """The weights."""
        return self.weights.detach().relu()

    def reweigh(self, factors: Tensor) -> None:
        """See ``QuerySide.reweigh``."""
        self.weights.data.mul_(factors)


class NetworkQueries:
    """Symmetric: the network that reads the passages reads the queries too, and so expands them.

    Args:
        first: Place of the first query in the network.
    """

    def __init__(self, first: int) -> None:
        self.first = first

    def parameters(self) -> list[nn.Parameter]:
        """Nothing besides the network."""
        return []

    def weigh(self, queries: Sequence[Asked], read: Callable[[Sequence[int]], Tensor]) -> Tensor:
        """See ``QuerySide.weigh``."""
        return read([self.first + int(query[0]) for query in queries])

    def result(self) -> None:
        """There are none."""

    def reweigh(self, factors: Tensor) -> None:
        """There are none."""
