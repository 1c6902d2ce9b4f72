"""What turns logits into weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from kosparse.jsonl import read_json

ActivationName = Literal["log1p_relu", "relu"]
"""As ``SpladePooling`` names them."""
HEAD_SETTINGS = "saturation.json"
"""File beside a head over morphemes."""


@dataclass(frozen=True)
class Activation:
    """How steeply a weight grows with its logit; a logit <= 0 has the weight 0.

    ``log1p_relu`` is log(1 + log(1 + relu(x))), OpenSearch's ``l0`` activation (Shen et al. 2025, arXiv 2504.14839);
    ``relu`` is log(1 + relu(x)), SPLADE's (Formal et al. 2021, arXiv 2107.05720, eq. 1).

    Raises:
        ValueError: There is none of this name.
    """

    name: ActivationName = "log1p_relu"

    def __post_init__(self) -> None:
        if self.name not in get_args(ActivationName):
            raise ValueError(f"no activation is called {self.name!r}")

    def __call__(self, logits: Tensor) -> Tensor:
        """Weights >= 0, same shape."""
        weights = torch.log1p(torch.relu(logits))
        return torch.log1p(weights) if self.name == "log1p_relu" else weights

    def inverse(self, weights: Tensor) -> Tensor:
        """The logits >= 0 that have these weights >= 0, same shape."""
        logits = torch.expm1(weights)
        return torch.expm1(logits) if self.name == "log1p_relu" else logits


def saved_activation(model: Path) -> Activation:
    """The document side's, of a sentence-transformers folder over word pieces or morphemes, or of a backbone.

    A folder over morphemes from before there was a choice has ``log1p_relu``; so has one that says nothing.
    """
    for place in (model, *sorted(model.glob("document_0_*"))):
        if (place / HEAD_SETTINGS).is_file():
            return Activation(read_json(place / HEAD_SETTINGS).get("activation", "log1p_relu"))
    found = [*sorted(model.glob("document_*_SpladePooling")), *sorted(model.glob("*_SpladePooling"))]
    return Activation(read_json(found[0] / "config.json").get("activation_function", "relu")) if found else Activation()
