"""The optimizer of a training."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn

from kosparse.progress import note

_TRIED = 16_384
"""Elements of the tensor an optimizer is tried on: enough for its state to be held in 8 bits."""


def open_optimizer(kind: Literal["adamw", "adamw_8bit"], groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019, 1711.05101), without weight decay.

    Args:
        kind: ``adamw_8bit`` holds its state in 8 bits a number instead of 32, block by block (Dettmers et al. 2022,
            2110.02861), by bitsandbytes; where that is missing or cannot do it on these devices a line says so, and
            it is ``adamw``.
        groups: Parameters, each group with its learning rate.
    """
    if kind == "adamw_8bit":
        try:
            from bitsandbytes.optim import AdamW8bit

            for device in {parameter.device for group in groups for parameter in group["params"]}:
                _try_step(AdamW8bit, device)
            eight: torch.optim.Optimizer = AdamW8bit(groups, weight_decay=0.0)
            return eight
        except (ImportError, RuntimeError, NotImplementedError, ValueError, AttributeError, NameError) as error:
            note(f"the optimizer holds its state in 32 bits, for there is no 8-bit one here: {error}")
    return torch.optim.AdamW(groups, weight_decay=0.0)


def _try_step(optimizer: Any, device: torch.device) -> None:
    """Take a step on a device; bitsandbytes loads without a kernel for it, and fails only then."""
    parameter = nn.Parameter(torch.zeros(_TRIED, device=device))
    parameter.grad = torch.ones_like(parameter)
    optimizer([parameter]).step()
