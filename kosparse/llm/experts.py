"""Experts in eight or four bits.

transformers holds all experts of a layer in one tensor, which bitsandbytes' layers do not cover: a model such
as gpt-oss quantized by it stays in bf16 for nine tenths. Here each expert's matrix is packed on its own and
unpacked when it is used.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_NAMES = ("gate_up_proj", "up_proj", "down_proj")


def quantize(model: Any, precision: str) -> None:
    """Pack the experts of a loaded model in place, layer by layer, on the device they are on.

    Attention and router stay as they are: in models with experts they are a few percent of the weights.

    Args:
        model: Loaded with plain weights.
        precision: ``int8`` (one scale per output of each expert) or ``int4`` (nf4, double quantization).
    """
    kind = {"int8": Int8Experts, "int4": Nf4Experts}[precision]
    model.set_experts_implementation("eager")  # the others multiply all experts at once, unpacked
    for module in list(model.modules()):
        for name in _NAMES:
            stack = module._parameters.get(name)
            if stack is not None and stack.dim() == 3:
                inputs = 1 if getattr(module, "is_transposed", False) else 2
                del module._parameters[name]
                setattr(module, name, kind(stack.data, inputs))


class Int8Experts(nn.Module):
    """Matrices ``[experts, rows, columns]`` as int8 and one scale per output.

    Args:
        weights: The stack, in the dtype it is to be unpacked to.
        inputs: Dimension (1 or 2) that a product sums over.
    """

    def __init__(self, weights: torch.Tensor, inputs: int) -> None:
        super().__init__()
        # One expert at a time: a whole layer in fp32 would double the peak.
        largest = torch.stack([expert.abs().amax(dim=inputs - 1, keepdim=True) for expert in weights])
        scales = largest.float().clamp(min=1e-12) / 127
        packed = torch.stack(
            [(expert / scale).round().to(torch.int8) for expert, scale in zip(weights, scales, strict=True)]
        )
        self.dtype = weights.dtype
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.scale = nn.Buffer(scales)

    def __getitem__(self, expert: Any) -> torch.Tensor:
        """One expert's matrix, unpacked: ``[rows, columns]``."""
        return (self.weight[expert] * self.scale[expert]).to(self.dtype)


class Nf4Experts(nn.Module):
    """Matrices ``[experts, rows, columns]`` as nf4 with double quantization; arguments as ``Int8Experts``."""

    def __init__(self, weights: torch.Tensor, inputs: int) -> None:
        from bitsandbytes.nn import Params4bit

        super().__init__()
        self.dtype = weights.dtype
        kind: Any = Params4bit
        packed = [
            kind(expert.contiguous(), requires_grad=False, quant_type="nf4", compress_statistics=True)
            for expert in weights
        ]
        self.weight = nn.ParameterList(expert.to(weights.device) for expert in packed)  # `to` quantizes

    def __getitem__(self, expert: Any) -> torch.Tensor:
        """One expert's matrix, unpacked: ``[rows, columns]``."""
        from bitsandbytes.functional import dequantize_4bit

        packed: Any = self.weight[int(expert)]
        unpacked: torch.Tensor = dequantize_4bit(packed.data, packed.quant_state)
        return unpacked.to(self.dtype)
