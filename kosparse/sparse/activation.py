"""What turns logits into weights."""

from __future__ import annotations

import torch
from torch import Tensor


def activate(logits: Tensor) -> Tensor:
    """log(1 + log(1 + relu(x))), OpenSearch's ``l0`` activation (Shen et al. 2025, arXiv 2504.14839)."""
    return torch.log1p(torch.log1p(torch.relu(logits)))


def inverse(weights: Tensor) -> Tensor:
    """The logits that ``activate`` turns into these weights; weights >= 0."""
    return torch.expm1(torch.expm1(weights))
