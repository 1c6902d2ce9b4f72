"""Output rows for word pieces, calibrated so that a passage is sparse before any training.

The output row of a piece is the mean of the contextual states of its occurrences, mixed with the dense
vector of the piece by itself: the first makes a passage's own pieces light up, the second their
neighbours. Logits are standardised per piece over the collection and shifted, so that only the top
``1 - active_quantile`` of them start above zero; without that, every piece of every passage is active.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from kosparse.progress import track
from kosparse.sparse.dense_rows import unit_length
from kosparse.sparse.head import find_head, make_linear, set_output
from kosparse.sparse.probe import Probe
from kosparse.sparse.states import EncoderStates

_DENSE_SHARE = 0.5
"""Weight of a piece's own dense vector beside the mean of its contextual states."""
_BLOCK = 50_000
"""Tokens read at a time."""


@torch.no_grad()
def piece_rows(dense: Tensor, states: EncoderStates) -> Tensor:
    """One unit row per piece: contextual mean (where it occurs) plus its own dense vector.

    Args:
        dense: Vector of each piece by itself, centred, of unit length: shape [pieces, hidden].
        states: Of the passages.
    """
    ids = torch.from_numpy(states.pieces.astype(np.int64))
    hidden = states.values.shape[1]
    count = torch.bincount(ids, minlength=len(dense)).float()
    total, center = torch.zeros(len(dense), hidden), torch.zeros(hidden)
    for start in range(0, len(ids), _BLOCK):
        block = torch.from_numpy(states.values[start : start + _BLOCK].astype(np.float32))
        total.index_add_(0, ids[start : start + _BLOCK], block)
        center += block.sum(0)
    center /= max(len(ids), 1)
    contextual = unit_length(total / count.clamp(min=1)[:, None] - center)
    contextual[count == 0] = 0
    return unit_length(contextual + _DENSE_SHARE * dense)


@torch.no_grad()
def calibrate(model: Any, rows: Tensor, states: EncoderStates, quantile: float) -> Probe:
    """Set the head so that the stated share of logits is above zero.

    Returns:
        The logits' activation before and after.
    """
    center = torch.from_numpy(states.values[:].astype(np.float32)).mean(0)
    head = find_head(model)
    make_linear(model, head, torch.eye(rows.shape[1]), center)
    head = set_output(model, head, rows, torch.zeros(len(rows)))
    best = torch.empty(len(states), len(rows))
    for text in track(range(len(states)), "calibrating", unit="passages"):
        best[text] = head.logits(states.of(text)).amax(0)
    mean, deviation = best.mean(0), best.std(0, correction=0).clamp(min=1e-4)
    standard = (best - mean) / deviation
    flat = standard.flatten()
    threshold = float(torch.quantile(flat[:: max(1, len(flat) // 1_000_000)], quantile))
    head.decoder.weight.copy_(rows / deviation[:, None])
    head.decoder.bias.copy_(-mean / deviation - threshold)
    return Probe.of(best, standard - threshold)
