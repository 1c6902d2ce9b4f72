"""What a student is made of: the backbone, loaded, and what the training set is in its terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kosparse.config import TrainSparseConfig
from kosparse.corpus.units import Units, load_units
from kosparse.errors import ConfigError
from kosparse.records import SynonymEntry
from kosparse.sparse.backbone import body_fingerprint, load_backbone
from kosparse.sparse.device import best_device, moved
from kosparse.sparse.states import EncoderStates, encoder_states
from kosparse.sparse.student import Terms
from kosparse.sparse.training_set import TrainingSet
from kosparse.sparse.warm_start import learnt_query_weights
from kosparse.sparse.wishes import Wishes, dictionary_wishes


@dataclass(frozen=True)
class Material:
    """Of one training."""

    config: TrainSparseConfig
    data: TrainingSet
    backbone: Path
    network: Any
    """The masked language model."""
    tokenizer: Any
    max_length: int
    terms: list[Terms]
    """Distinct units of each query."""
    weights: Tensor
    """Where the query side starts, shape [units]."""
    learnt: bool
    """Whether the backbone is a trained model, whose query weights these are."""
    wishes: Wishes
    cache: Path

    @classmethod
    def load(
        cls,
        config: TrainSparseConfig,
        data: TrainingSet,
        backbone: Path,
        *,
        idf: Mapping[str, float],
        boosts: Mapping[str, float],
        entries: Sequence[SynonymEntry],
        cache: Path,
    ) -> Material:
        """As for ``fit``."""
        network, tokenizer, max_length = load_backbone(backbone)
        units = load_units(backbone)
        wishes = dictionary_wishes(units, [passage.text for passage in data.passages], entries, config.dictionary_p)
        learnt = learnt_query_weights(backbone)
        weights = query_weights(units, idf, boosts) if learnt is None else learnt
        asked = units.of([query.text for query in data.queries])
        terms = [np.unique(np.asarray(ids, dtype=np.int64)) for ids in asked]
        return cls(
            config, data, backbone, network, tokenizer, max_length, terms, weights, learnt is not None, wishes, cache
        )

    @property
    def texts(self) -> list[str]:
        """Of the passages."""
        return [passage.text for passage in self.data.passages]

    @property
    def device(self) -> str:
        """Where the network reads and learns."""
        return best_device() if self.config.device == "auto" else self.config.device

    def states(self) -> EncoderStates:
        """Encoder states of all passages."""
        body = body_fingerprint(self.network, self.tokenizer)
        with moved(self.network, self.device):
            return encoder_states(
                self.network, self.tokenizer, self.texts, cache=self.cache, body=body, max_length=self.max_length
            )

    def pieces(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included."""
        return list(self.tokenizer(list(texts), truncation=True, max_length=self.max_length)["input_ids"])

    def spare_memory(self) -> None:
        """Gradient checkpointing (Chen et al. 2016, 1604.06174), when it is asked for."""
        from transformers.modeling_layers import GradientCheckpointingLayer

        if not self.config.gradient_checkpointing:
            return
        try:
            self.network.gradient_checkpointing_enable({"use_reentrant": False})
        except ValueError as error:
            raise ConfigError(
                f"this backbone cannot do with less memory: {error}",
                where="train_sparse.gradient_checkpointing",
                fix="Set it to false, and lower train_sparse.micro_batch instead.",
            ) from error
        for module in self.network.modules():
            if isinstance(module, GradientCheckpointingLayer):
                # transformers looks at the layer's own flag; its parts stay, so that nothing is dropped out.
                module.training = True


def query_weights(units: Units, idf: Mapping[str, float], boosts: Mapping[str, float]) -> Tensor:
    """IDF times trend boost for each unit; one without an IDF, such as a special token, weighs 0: shape [units]."""
    return torch.tensor([float(idf.get(name, 0.0)) * float(boosts.get(name, 1.0)) for name in units.names])
