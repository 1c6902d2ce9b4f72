"""Regularizers that make vectors sparse."""

from __future__ import annotations

from torch import Tensor


def flops(weights: Tensor) -> Tensor:
    """FLOPS regularizer: sum over terms of (mean over passages of the weight) squared (Paria et al. 2020, 2004.05665).

    Args:
        weights: >= 0, shape [passages, terms].
    """
    return weights.mean(dim=0).square().sum()
