"""Regularizers that make vectors sparse."""

from __future__ import annotations

import torch
from torch import Tensor


def flops(weights: Tensor) -> Tensor:
    """FLOPS regularizer: sum over terms of (mean over passages of the weight) squared (Paria et al. 2020, 2004.05665).

    Args:
        weights: >= 0, shape [passages, terms].
    """
    return weights.mean(dim=0).square().sum()


def flops_apart(weights: Tensor, own: Tensor) -> Tensor:
    """Mean of ``flops`` over the queries' own passages and ``flops`` over all others.

    The own passages are few: in one mean with the others what they cost is hardly seen. Where all passages are own ones
    their ``flops`` alone.

    Args:
        weights: >= 0, shape [passages, terms].
        own: Rows of the queries' own passages, at least one, repeats allowed: int64, any length.
    """
    chosen = torch.zeros(len(weights), dtype=torch.bool)
    chosen[own] = True
    if chosen.all():
        return flops(weights)
    return (flops(weights[chosen]) + flops(weights[~chosen])) / 2


def l0_masked(weights: Tensor, active: Tensor, threshold: int) -> Tensor:
    """The l0 mask: weights of passages with more active terms than a threshold; 0 for all others, which cost nothing.

    They still count in the mean of ``flops`` (Shen et al. 2025, arXiv 2504.14839, l0 mask loss).

    Args:
        weights: >= 0, shape [passages, terms].
        active: Active terms of each passage: int64, shape [passages].
        threshold: >= 0.
    """
    return weights * (active > threshold)[:, None]
