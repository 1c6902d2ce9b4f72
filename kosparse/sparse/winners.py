"""Which position of a passage wins each term: what makes training on two cores possible.

A term's weight in a passage is its largest logit over the positions. The gradient flows through that
one position only, so with the encoder fixed it is enough to know, for each passage and term, the
winning position. ``find_winners`` looks once at everything; afterwards the weight of any term in all
passages costs one dot product per passage in which it may be active. Scores need the query's terms
only, so a training step touches a few hundred terms and *all* passages, exactly.

The winners are those of the head at the time of looking: training moves logits, and a position that
came second may overtake. The trained model is always encoded and evaluated exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kosparse.progress import track
from kosparse.sparse.head import Head
from kosparse.sparse.states import EncoderStates

MARGIN = 1.5
"""Terms up to this far below activation are followed as well: training may switch them on."""


@dataclass(frozen=True)
class Winners:
    """For each term, the passages it may be active in and the state that decides it; ordered by term."""

    starts: NDArray[np.int64]
    """Entries of term t are ``starts[t]:starts[t + 1]``: shape [vocabulary + 1]."""
    passages: Tensor
    """int64, shape [entries]."""
    rows: Tensor
    """Rows of ``states``, int64, shape [entries]."""
    states: Tensor
    """Transformed states (what the decoder multiplies), float16, shape [distinct winners, hidden]."""
    passage_count: int

    def select(self, terms: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.int64]]:
        """Entries of some terms.

        Returns:
            Their indices, term after term, and where each term's begin and end: shape [len(terms) + 1].
        """
        counts = self.starts[terms + 1] - self.starts[terms]
        bounds = np.concatenate([[0], np.cumsum(counts)])
        offsets = np.repeat(self.starts[terms] - bounds[:-1], counts)
        return torch.from_numpy(offsets + np.arange(bounds[-1])), bounds


@torch.inference_mode()
def find_winners(
    states: EncoderStates, head: Head, *, most: int, always: Sequence[NDArray[np.int64]] | None = None
) -> Winners:
    """Look at every position of every passage once.

    Args:
        states: Of the passages.
        head: Whose logits decide.
        most: Terms followed per passage at most, besides ``always``.
        always: For each passage, terms to follow whatever their logit.
    """
    passages, terms, positions = [], [], []
    for passage in track(range(len(states)), "winning positions", unit="passages"):
        logits = head.logits(states.of(passage))
        best, winner = logits.max(dim=0)
        wanted = _wanted(best, most, always[passage] if always is not None else None)
        terms.append(wanted.numpy().astype(np.int32))
        positions.append((winner[wanted] + int(states.starts[passage])).numpy())
        passages.append(np.full(len(wanted), passage, dtype=np.int32))
    return _ordered(np.concatenate(terms), np.concatenate(passages), np.concatenate(positions), states, head)


def _wanted(best: Tensor, most: int, always: NDArray[np.int64] | None) -> Tensor:
    top = torch.topk(best, min(most, len(best)))
    wanted = top.indices[top.values > -MARGIN]
    return wanted if always is None else torch.unique(torch.cat([wanted, torch.from_numpy(always)]))


def _ordered(
    terms: NDArray[np.int32],
    passages: NDArray[np.int32],
    positions: NDArray[np.int64],
    states: EncoderStates,
    head: Head,
) -> Winners:
    """Sort by term, and keep the states that win at least once, already transformed."""
    order = np.lexsort((passages, terms))
    distinct, rows = np.unique(positions[order], return_inverse=True)
    kept = torch.empty(len(distinct), states.values.shape[1], dtype=torch.float16)
    for start in range(0, len(distinct), 8192):
        chunk = torch.from_numpy(np.asarray(states.values[distinct[start : start + 8192]], dtype=np.float32))
        kept[start : start + 8192] = head.transform(chunk).half()
    vocabulary = head.decoder.out_features
    return Winners(
        starts=np.searchsorted(terms[order], np.arange(vocabulary + 1)),
        passages=torch.from_numpy(passages[order].astype(np.int64)),
        rows=torch.from_numpy(rows.astype(np.int64)),
        states=kept,
        passage_count=len(states),
    )
