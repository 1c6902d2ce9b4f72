"""The fused head inside sentence-transformers: one call before training or encoding.

    encoder = SparseEncoder("...")
    fuse(encoder)

What is saved afterwards is the folder it always was: only how the two modules compute changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from sentence_transformers.sparse_encoder.modules import SpladePooling
from torch import Tensor, nn

from kosparse.errors import InputError
from kosparse.sparse.activation import Activation
from kosparse.sparse.fused_head import max_logits, max_logits_packed
from kosparse.sparse.head import Head, find_head


def fuse(encoder: Any) -> int:
    """Let a ``SparseEncoder`` pool its logits as they are computed, on its document side and its query side.

    The decoder hands the transformed states on, and the pooling multiplies them block by block.

    Args:
        encoder: Has a transformer with a masked-language-model head followed by ``SpladePooling``, as its modules
            or inside a ``Router``. Changed in place.

    Returns:
        How many such pairs there are.

    Raises:
        InputError: There is none, one pools by sum, or a head is of an unknown layout.
    """
    pairs = list(_pairs(encoder))
    for transformer, pooling in pairs:
        if pooling.pooling_strategy != "max":
            raise InputError(
                f"the fused head pools by max, this model by {pooling.pooling_strategy}",
                where="SpladePooling.pooling_strategy",
                fix="Leave the model as it is: the sum needs the logits of all tokens.",
            )
        _check(find_head(transformer.model), transformer)
    for transformer, pooling in pairs:
        decoder = find_head(transformer.model).decoder
        # On the instance, so that class, parameters and what is saved stay theirs.
        vars(decoder)["forward"] = _hand_on
        vars(pooling)["forward"] = partial(_pool, pooling, decoder)
    if not pairs:
        raise InputError(
            "there is no transformer followed by SpladePooling in this model",
            where=type(encoder).__name__,
            fix="Give a SPLADE model: modules [Transformer(transformer_task='fill-mask'), SpladePooling].",
        )
    return len(pairs)


def unfuse(encoder: Any) -> None:
    """Take ``fuse`` back."""
    for transformer, pooling in _pairs(encoder):
        vars(find_head(transformer.model).decoder).pop("forward", None)
        vars(pooling).pop("forward", None)


def _hand_on(states: Tensor) -> Tensor:
    return states


def _pool(pooling: SpladePooling, decoder: nn.Linear, features: dict[str, Any]) -> dict[str, Any]:
    """``SpladePooling.forward`` over states instead of logits."""
    states = features["token_embeddings"]
    if "cu_seq_lens_q" in features:
        lengths = features["cu_seq_lens_q"].diff().long()
        logits = max_logits_packed(states.squeeze(0), lengths, decoder.weight, decoder.bias)
    else:
        logits = max_logits(states, features["attention_mask"], decoder.weight, decoder.bias)
    pooling.embedding_dimension = pooling.embedding_dimension or decoder.out_features
    features["sentence_embedding"] = Activation(pooling.activation_function)(logits)
    return features


def _pairs(encoder: Any) -> Iterator[tuple[Any, SpladePooling]]:
    for modules in _sequences(encoder):
        for transformer, pooling in zip(modules, modules[1:], strict=False):
            if isinstance(pooling, SpladePooling):
                yield transformer, pooling


def _sequences(encoder: Any) -> Iterator[Sequence[Any]]:
    """The encoder's modules, and those of each route."""
    for part in encoder.modules():
        if isinstance(part, nn.Sequential):
            yield list(part)


def _check(head: Head, transformer: Any) -> None:
    """Refuse a vocabulary that is not the decoder's."""
    known, rows = len(transformer.tokenizer), head.decoder.out_features
    if known > rows:
        raise InputError(
            f"the tokenizer has {known} pieces, the head only {rows} rows",
            where=type(transformer.model).__name__,
            fix="Load the tokenizer the model was trained with, or resize the model's embeddings to it.",
        )
