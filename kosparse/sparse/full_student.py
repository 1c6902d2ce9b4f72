"""Every layer of a sparse encoder learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kosparse.config import TrainSparseConfig
from kosparse.progress import note, track
from kosparse.sparse import distributed
from kosparse.sparse.activation import Activation
from kosparse.sparse.fused_head import max_logits
from kosparse.sparse.head import find_head
from kosparse.sparse.query_side import QuerySide
from kosparse.sparse.student import ENCODED, MARGIN, Asked, Margins, Scored
from kosparse.sparse.wishes import Wishes

_CHECKED = 128
"""Passages whose active dimensions the network is held by."""


class DocumentNetwork(Protocol):
    """A whole document encoder in training."""

    @property
    def terms(self) -> int:
        """Dimensions of its logits."""
        ...

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

    def state(self) -> dict[str, Any]:
        """See ``Student.state``."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """See ``Student.restore``."""
        ...


class PieceNetwork:
    """A masked language model, max-pooled over positions.

    Args:
        network: On its device.
        pieces: Token ids of every passage, special tokens included.
        pad: Id of the padding token.
        queries: Likewise of every query, where the network reads these too; their places come after the passages'.
    """

    def __init__(
        self, network: Any, pieces: Sequence[Sequence[int]], pad: int, queries: Sequence[Sequence[int]] = ()
    ) -> None:
        self.network, self.pieces, self.pad = network, [*pieces, *queries], pad
        self.passages = len(pieces)

    @property
    def terms(self) -> int:
        """Rows of the decoder."""
        return int(find_head(self.network).decoder.out_features)

    def __len__(self) -> int:
        """Number of passages."""
        return self.passages

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

    def state(self) -> dict[str, Any]:
        """Nothing but parameters changes."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """See ``state``."""


class FullStudent:
    """Every layer learns; each step runs the passages its batch speaks of through the network.

    The network reads a few passages at a time and keeps only their logits; their activations are computed again on
    the way back. So the batch is bounded by its logits alone (gradient caching, Gao et al. 2021, arXiv 2101.06983).
    Of several processes each reads its share, and all see the logits of all.

    Args:
        network: The document side.
        queries: The query side.
        wishes: Dictionary supervision.
        config: How many passages are read at a time, in which precision, and how logits become weights.
    """

    def __init__(self, network: DocumentNetwork, queries: QuerySide, wishes: Wishes, config: TrainSparseConfig) -> None:
        self.network, self.queries, self.wishes = network, queries, wishes
        self.micro_batch, self.half = config.micro_batch, config.precision == "bf16"
        self.activation = Activation(config.activation)
        self._logits, self._passages = torch.zeros(0, network.terms), [0]

    def groups(self, config: TrainSparseConfig) -> list[dict[str, Any]]:
        """All weights of the network; the query weights apart."""
        own = self.queries.parameters()
        queries = [{"params": own, "lr": config.query_learning_rate}] if own else []
        return [{"params": self.network.parameters(), "lr": config.learning_rate}, *queries]

    def scores(self, queries: Sequence[Asked], passages: Sequence[int]) -> Scored:
        """See ``Student.scores``."""
        self._passages, self._logits = list(passages), self._shared(passages)
        weights = self.activation(self._logits)
        asked = self.queries.weigh(queries, self._weights)
        return Scored(asked @ weights.T, weights, queries=None if self.queries.parameters() else asked)

    def count_active(self) -> None:
        """A step sees all dimensions of its passages."""

    def dictionary(self, passages: Sequence[int]) -> Tensor:
        """Hinge on the weights of translations in the passages scored last."""
        lines = {passage: line for line, passage in enumerate(self._passages) if len(self.wishes.terms_of(passage))}
        if not lines:
            return torch.zeros(())
        terms = np.unique(np.concatenate([self.wishes.terms_of(passage) for passage in lines]))
        weights = self.activation(self._logits[list(lines.values())][:, torch.from_numpy(terms)])
        return self.wishes.hinge(weights, terms, list(lines), MARGIN, rows=range(len(lines)))

    @torch.no_grad()
    def vectors(self) -> csr_matrix:
        """See ``Student.vectors``."""
        every = range(len(self.network))
        parts = [every[at : at + ENCODED] for at in every[::ENCODED]]
        return csr_matrix(vstack([csr_matrix(self._weights(part).numpy()) for part in track(parts, "encoding")]))

    @torch.no_grad()
    def weigh(self, queries: Sequence[Asked]) -> Tensor:
        """See ``Student.weigh``."""
        return self.queries.weigh(queries, self._weights)

    def query_weights(self) -> Tensor | None:
        """See ``Student.query_weights``."""
        return self.queries.result()

    def reweigh(self, factors: Tensor) -> None:
        """See ``Student.reweigh``."""
        self.queries.reweigh(factors)

    @torch.no_grad()
    def margins(self) -> Margins:
        """Of passages spread over the collection."""
        sample = list(range(0, len(self.network), max(1, len(self.network) // _CHECKED)))[:_CHECKED]
        return self.network.margins(self._shared(sample), sample)

    def shift(self, amount: float) -> None:
        """Raise the bar for the passages to come."""
        self.network.shift(amount)

    def state(self) -> dict[str, Any]:
        """The network's, and how many passages it can read at a time."""
        return {"network": self.network.state(), "micro_batch": self.micro_batch}

    def restore(self, state: dict[str, Any]) -> None:
        """See ``state``."""
        self.network.restore(state["network"])
        self.micro_batch = min(self.micro_batch, state["micro_batch"])

    def read_less(self) -> bool:
        """Halve the passages read at a time; False when it is one already."""
        if self.micro_batch == 1:
            return False
        self.micro_batch //= 2
        note(f"out of memory: {self.micro_batch} passages are read at a time from now on; the batch stays as it is")
        return True

    def share_gradients(self) -> None:
        """Each process has read its own share, but each has weighed the terms of all queries."""
        distributed.add_up(self.network.parameters())
        distributed.add_up(self.queries.parameters(), 1 / distributed.processes())

    def _weights(self, places: Sequence[int]) -> Tensor:
        """Of what the network holds at some places: shape [len(places), terms]."""
        return self.activation(self._shared(places))

    def _shared(self, passages: Sequence[int]) -> Tensor:
        """Logits of some passages, each read by one of the processes: shape [len(passages), terms]."""
        return distributed.gather(self._read(distributed.share(passages)), len(passages))

    def _read(self, passages: Sequence[int]) -> Tensor:
        """Logits of some passages, read again on the way back: shape [len(passages), terms]."""
        while True:
            parts = [passages[at : at + self.micro_batch] for at in range(0, len(passages), self.micro_batch)]
            try:
                if len(parts) == 1:
                    return self._logits_of(parts[0])
                read = [checkpoint(self._logits_of, part, use_reentrant=False) for part in parts]
            except RuntimeError as error:
                if not (out_of_memory(error) and self.read_less()):
                    raise
            else:
                return torch.cat(read) if read else torch.zeros(0, self.network.terms)

    def _logits_of(self, passages: Sequence[int]) -> Tensor:
        device = self.network.parameters()[0].device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.half):
            return self.network.logits(passages).float()


def out_of_memory(error: BaseException) -> bool:
    """Whether torch says so, of any device."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def padded(rows: Sequence[Sequence[int]], pad: int, device: Any) -> tuple[Tensor, Tensor]:
    """Token ids and their mask, shape [rows, longest]."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids.to(device), mask.to(device)
