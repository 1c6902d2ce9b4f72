"""The masked-language-model head of any BERT-like model, addressed the same way everywhere.

logits = decoder(norm(activation(dense(state)))): [tokens, hidden] -> [tokens, vocabulary].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from kosparse.errors import InputError

_LAYOUTS = (
    # BERT and kin; RoBERTa and XLM-R; ModernBERT; DistilBERT: dense, activation, norm, decoder.
    (
        "cls.predictions.transform.dense",
        "cls.predictions.transform.transform_act_fn",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.decoder",
    ),
    ("lm_head.dense", "", "lm_head.layer_norm", "lm_head.decoder"),
    ("head.dense", "head.act", "head.norm", "decoder"),
    ("vocab_transform", "activation", "vocab_layer_norm", "vocab_projector"),
)


@dataclass(frozen=True)
class Head:
    """The four parts of the head, shared with the model they were found in."""

    dense: nn.Linear
    activation: Callable[[Tensor], Tensor]
    norm: nn.LayerNorm
    decoder: nn.Linear
    decoder_path: str

    def transform(self, states: Tensor) -> Tensor:
        """Everything before the decoder: [..., hidden] -> [..., hidden]."""
        return self.norm(self.activation(self.dense(states)))

    def logits(self, states: Tensor) -> Tensor:
        """[..., hidden] -> [..., vocabulary]."""
        return self.decoder(self.transform(states))


def find_head(model: nn.Module) -> Head:
    """The head of a masked language model.

    Raises:
        InputError: The model has no head of a known layout.
    """
    for dense, activation, norm, decoder in _LAYOUTS:
        parts = [_at(model, path) for path in (dense, norm, decoder)]
        if all(part is not None for part in parts):
            function = _at(model, activation) if activation else nn.functional.gelu
            return Head(parts[0], function, parts[1], parts[2], decoder)
    raise InputError(
        f"{type(model).__name__} has no masked-language-model head we know",
        fix="Use a BERT, RoBERTa, XLM-R, ModernBERT or DistilBERT model as the backbone.",
    )


def _at(model: Any, path: str) -> Any:
    return reduce(lambda part, name: getattr(part, name, None), path.split("."), model)


@torch.no_grad()
def set_output(model: Any, head: Head, rows: Tensor, bias: Tensor) -> Head:
    """Give the model output rows of its own, apart from the input embeddings.

    Args:
        model: A masked language model.
        head: Its head.
        rows: Decoder weights, shape [vocabulary, hidden].
        bias: Decoder bias, shape [vocabulary].

    Returns:
        The new head.
    """
    decoder = nn.Linear(rows.shape[1], rows.shape[0])
    decoder.weight.copy_(rows)
    decoder.bias.copy_(bias)
    parent_path, _, name = head.decoder_path.rpartition(".")
    parent = _at(model, parent_path) if parent_path else model
    setattr(parent, name, decoder)
    if isinstance(getattr(parent, "bias", None), nn.Parameter):
        # BERT and RoBERTa keep the bias twice, beside the decoder and in it. Were they one tensor, only one
        # name would be saved, and loading an untied model would leave the other at zero.
        parent.bias = nn.Parameter(bias.clone())
    model.config.tie_word_embeddings = False
    return find_head(model)


@torch.no_grad()
def make_linear(model: Any, head: Head, weight: Tensor, center: Tensor) -> None:
    """Make the transform (nearly) linear: state -> layer-normalised ``weight @ (state - center)``.

    GELU is the identity far above zero, so a bias shifts every input up there; the layer norm, which
    removes the mean, takes the shift out again.

    Args:
        model: A masked language model; one without a bias there, as ModernBERT is, gets it.
        head: Its head, changed in place.
        weight: Shape [hidden, hidden].
        center: Shape [hidden].
    """
    shift = 12.0
    head.dense.weight.copy_(weight)
    if head.dense.bias is None:
        model.config.classifier_bias = True
    head.dense.bias = nn.Parameter(shift - weight @ center)
    head.norm.weight.fill_(1.0)
    if head.norm.bias is not None:
        head.norm.bias.zero_()
