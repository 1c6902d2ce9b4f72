"""Dense vectors of single words: where the output rows of a sparse model come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kosparse.sparse.device import best_device, moved
from kosparse.sparse.states import read


@torch.no_grad()
def dense_rows(model: Any, tokens: Sequence[Sequence[int]], pad: int) -> Tensor:
    """The mean state of each token sequence, centred over all of them, of unit length: shape [rows, hidden].

    Args:
        model: A masked language model; only its encoder is used.
        tokens: Token ids of each row, with everything the encoder expects around them.
        pad: Id of the padding token.
    """
    vectors = torch.empty(len(tokens), model.config.hidden_size)
    with moved(model, best_device()):
        for lines, states in read(model, [np.asarray(row, dtype=np.int32) for row in tokens], pad):
            for line, state in zip(lines, states, strict=True):
                vectors[line] = state[: len(tokens[line])].mean(0)
    vectors = unit_length(vectors)
    return unit_length(vectors - vectors.mean(0))


def unit_length(rows: Tensor) -> Tensor:
    """Rows divided by their length."""
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-9)
