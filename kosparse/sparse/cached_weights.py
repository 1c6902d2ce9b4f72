"""Weights of a collection from encoder states that are there already.

Training a head leaves the encoder as it was, and its states of the collection are on disk: then weighing every
passage costs the head alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from torch import Tensor

from kosparse.progress import track
from kosparse.sparse.backbone import body_fingerprint
from kosparse.sparse.matches import fits, match_units
from kosparse.sparse.model import SparseModel
from kosparse.sparse.morpheme_head import MorphemeHead, Saturation, with_prior
from kosparse.sparse.morpheme_modules import MorphemeDocument
from kosparse.sparse.states import EncoderStates, cached_states, encoder_states

_BLOCK = 256
_CHECKED = 4
"""Texts weighed both ways: states on disk are half precision, and must not matter."""
_TOLERANCE = 0.02


def document_weights(model: SparseModel, texts: Sequence[str], cache: Path, *, keep: bool = False) -> csr_matrix:
    """Document weights as ``model.encode_documents`` gives them: shape [len(texts), terms].

    Args:
        model: Of word pieces or morphemes; the shorter way is taken for morphemes.
        texts: The collection.
        cache: Folder of encoder states.
        keep: Compute and keep the states that the cache lacks: for texts that are weighed more than once.
    """
    weights = _from_states(model, texts, cache, keep)
    if weights is None:
        return model.encode_documents(texts)
    chosen = list(range(0, len(texts), max(1, len(texts) // _CHECKED)))[:_CHECKED]
    difference = abs(weights[chosen] - model.encode_documents([texts[row] for row in chosen]))
    return weights if difference.max() < _TOLERANCE else model.encode_documents(texts)


def _from_states(model: SparseModel, texts: Sequence[str], cache: Path, keep: bool) -> csr_matrix | None:
    document: Any = next((part for part in model.encoder.modules() if isinstance(part, MorphemeDocument)), None)
    if document is None:
        return None
    body = body_fingerprint(document.network, document.pieces)
    where: Any = {"cache": cache, "body": body, "max_length": document.max_seq_length}
    if keep:
        states: EncoderStates | None = encoder_states(document.network, document.pieces, texts, **where)
    else:
        states = cached_states(texts, **where)
    if states is None:
        return None
    is_small = fits(len(texts), len(document.units.names))
    if not is_small and document.head.bias.device.type != "cpu":
        return None  # the device reads them sooner than a processor weighs them one by one
    head = copy.deepcopy(document.head).cpu()  # as the states are, wherever the model is
    if is_small:
        return _weigh_matches(head, document.saturation, texts, *match_units(head.peak, states, cache))
    return _weigh_states(head, document.saturation, texts, states)


@torch.inference_mode()
def _weigh_matches(
    head: MorphemeHead, saturation: Saturation, texts: Sequence[str], best: Tensor, center: Tensor
) -> csr_matrix:
    """From the table of matches: peak and mean in a few products."""
    blocks = []
    for start in range(0, len(texts), _BLOCK):
        rows = slice(start, start + _BLOCK)
        read = best[rows].float() + center[rows] @ head.mean.T + head.bias
        logits = with_prior(read, saturation.of(texts[rows]), head.threshold, head.activation)
        blocks.append(csr_matrix(head.activation(logits).numpy().astype(np.float32)))
    return csr_matrix(vstack(blocks, format="csr"))


@torch.inference_mode()
def _weigh_states(
    head: MorphemeHead, saturation: Saturation, texts: Sequence[str], states: EncoderStates
) -> csr_matrix:
    """Text by text, where the table would be too large."""
    rows = []
    for place, text in enumerate(track(texts, "weighing", unit="passages")):
        tokens = states.of(place)[None]
        read = head(tokens, torch.ones(tokens.shape[:2]))[0]
        logits = with_prior(read, saturation.of([text])[0], head.threshold, head.activation)
        rows.append(csr_matrix(head.activation(logits).numpy().astype(np.float32)))
    return csr_matrix(vstack(rows, format="csr"))
