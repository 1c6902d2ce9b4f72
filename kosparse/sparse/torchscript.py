"""The document side of a model over word pieces as one TorchScript file, which ml-commons runs in the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kosparse.errors import InputError
from kosparse.sparse.activation import Activation

_EXAMPLE_LENGTH = 7


class DocumentWeights(nn.Module):
    """Token ids to weights of the vocabulary: encoder, max over tokens, activation.

    Args:
        network: A masked language model.
        activation: As in ``SpladePooling``.
        kept: 1 for each term of the tokenizer, 0 for special ones, shape [terms]; a head padded beyond the
            vocabulary is cut to it.
    """

    kept: Tensor

    def __init__(self, network: nn.Module, activation: Activation, kept: Tensor) -> None:
        super().__init__()
        self.network, self.activation, self.terms = network, activation, len(kept)
        self.register_buffer("kept", kept)

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """``output``, shape [texts, terms], from ``input_ids`` and ``attention_mask``, shape [texts, longest]."""
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        logits = self.network(input_ids=ids, attention_mask=mask).logits[:, :, : self.terms]
        highest = (logits * mask.unsqueeze(-1)).amax(dim=1)
        return {"output": self.activation(highest) * self.kept}


def write_torchscript(model: Path, file: Path) -> None:
    """Trace the document side of a trained folder into a file.

    Args:
        model: A sentence-transformers SparseEncoder folder over word pieces.
        file: Where to write, ``.pt``.

    Raises:
        InputError: The folder has no transformer followed by max pooling, or cannot be loaded.
    """
    from sentence_transformers import SparseEncoder

    try:
        encoder = SparseEncoder(str(model), device="cpu")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"sentence-transformers cannot use the model: {error}", where=str(model), fix="Give one over word pieces."
        ) from error
    transformer, pooling = _document_modules(encoder, model)
    tokenizer, network = transformer.tokenizer, transformer.model.eval()
    network.set_attn_implementation("eager")  # OpenSearch's runtime has no fused attention
    kept = torch.ones(len(tokenizer))
    kept[tokenizer.all_special_ids] = 0.0
    ids = torch.arange(_EXAMPLE_LENGTH).remainder(len(tokenizer)).unsqueeze(0)
    example = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        # A dictionary as result is only traced when the trace may be loose about it.
        weights = DocumentWeights(network, Activation(pooling.activation_function), kept).eval()
        traced = torch.jit.trace(weights, (example,), strict=False, check_trace=False)
    torch.jit.save(traced, str(file))  # type: ignore[no-untyped-call]


def _document_modules(encoder: Any, folder: Path) -> tuple[Any, Any]:
    from sentence_transformers.sparse_encoder.modules import Router, SpladePooling

    modules: list[Any] = list(encoder)
    if isinstance(modules[0], Router):
        modules = list(modules[0].sub_modules["document"].children())
    if len(modules) != 2 or not isinstance(modules[1], SpladePooling) or modules[1].pooling_strategy != "max":
        raise InputError(
            f"the document side is {', '.join(type(module).__name__ for module in modules)}",
            where=str(folder),
            fix="Give a model whose document side is a transformer followed by SpladePooling by max.",
        )
    return modules[0], modules[1]
