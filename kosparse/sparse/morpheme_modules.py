"""The two sides of a morpheme model as sentence-transformers modules: files in, files out.

A folder holds safetensors and JSON only. Because the classes are ours, plain sentence-transformers loads it
with ``SparseEncoder(folder, trust_remote_code=True)`` where kosparse is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers.base.modules import InputModule
from torch import Tensor, nn

from kosparse.corpus.units import UNITS_FILE, Morphemes
from kosparse.jsonl import read_json, write_json
from kosparse.sparse.morpheme_head import MorphemeHead, Saturation, load_head, save_head, with_prior

_ENCODER = "encoder"
_WEIGHTS = "model.safetensors"


class UnitNames:
    """As much of a tokenizer as ``SparseEncoder.decode`` asks for: the name of each dimension."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        """Names of dimensions, in order."""
        return [self.names[position] for position in ids]


class MorphemeQuery(InputModule):
    """A query is the set of its morphemes, each with a stored weight.

    Args:
        units: The dimensions.
        weight: One weight >= 0 per dimension.
    """

    def __init__(self, units: Morphemes, weight: Tensor) -> None:
        super().__init__()
        self.units = units
        self.tokenizer: Any = UnitNames(units.names)
        self.weight = nn.Parameter(weight, requires_grad=False)

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **_: Any) -> dict[str, Any]:
        """``presence``: 1 where a text holds a unit, shape [texts, units]."""
        presence = torch.zeros(len(inputs), len(self.units.names))
        for row, found in enumerate(self.units.of([f"{prompt or ''}{text}" for text in inputs])):
            presence[row, found] = 1.0
        return {"presence": presence}

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Adds ``sentence_embedding``, shape [texts, units]."""
        features["sentence_embedding"] = features["presence"] * self.weight
        return features

    def get_embedding_dimension(self) -> int:
        """Number of units."""
        return len(self.units.names)

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        """Write the names and the weights."""
        write_json(Path(output_path) / UNITS_FILE, self.units.names)
        save_file({"weight": self.weight.detach().contiguous()}, Path(output_path) / _WEIGHTS)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **_: Any) -> Self:  # type: ignore[override]
        """Read what ``save`` wrote."""
        folder = Path(model_name_or_path) / subfolder
        return cls(Morphemes(read_json(folder / UNITS_FILE)), load_file(folder / _WEIGHTS)["weight"])


class MorphemeDocument(InputModule):
    """Encoder, head and the document's own morphemes.

    Args:
        network: A masked language model; only its encoder is used.
        tokenizer: Its tokenizer.
        saturation: Weighs the text's own morphemes and their translations; knows the dimensions.
        head: From states to weights.
    """

    def __init__(self, network: Any, tokenizer: Any, saturation: Saturation, head: MorphemeHead) -> None:
        super().__init__()
        self.network, self.pieces, self.units = network, tokenizer, saturation.units
        self.saturation, self.head = saturation, head
        self.tokenizer: Any = UnitNames(self.units.names)
        self.max_seq_length: int = tokenizer.model_max_length

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **_: Any) -> dict[str, Any]:
        """Token ids, their mask, and the saturation of each text's own units: shape [texts, units]."""
        texts = [f"{prompt or ''}{text}" for text in inputs]
        cut = self.pieces(texts, padding=True, truncation=True, max_length=self.max_seq_length, return_tensors="pt")
        return {
            "input_ids": cut["input_ids"],
            "attention_mask": cut["attention_mask"],
            "saturation": self.saturation.of(texts),
        }

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Adds ``sentence_embedding``, shape [texts, units]."""
        logits = self.logits(features["input_ids"], features["attention_mask"], features["saturation"])
        features["sentence_embedding"] = self.head.activation(logits)
        return features

    def logits(self, ids: Tensor, mask: Tensor, saturation: Tensor) -> Tensor:
        """Prior included, before activation: shape [texts, units].

        Args:
            ids: Token ids, padded at the end: shape [texts, longest].
            mask: 1 for tokens, 0 for padding, same shape.
            saturation: Shape [texts, units].
        """
        states = self.network.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
        read: Tensor = self.head(states, mask)
        return with_prior(read, saturation, self.head.threshold, self.head.activation)

    def get_embedding_dimension(self) -> int:
        """Number of units."""
        return len(self.units.names)

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        """Write network, tokenizer, names, head and saturation."""
        folder = Path(output_path)
        self.network.save_pretrained(folder / _ENCODER)
        self.pieces.save_pretrained(folder / _ENCODER)
        save_head(folder, self.head, self.saturation)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **_: Any) -> Self:  # type: ignore[override]
        """Read what ``save`` wrote."""
        from transformers import AutoModelForMaskedLM, AutoTokenizer

        folder = Path(model_name_or_path) / subfolder
        head, saturation = load_head(folder)
        network = AutoModelForMaskedLM.from_pretrained(folder / _ENCODER, dtype=torch.float32, use_safetensors=True)
        return cls(network, AutoTokenizer.from_pretrained(folder / _ENCODER), saturation, head)
