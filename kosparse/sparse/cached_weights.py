"""Weights of a collection from encoder states that are there already.

Training a head leaves the encoder as it was, and its states of the collection are on disk: then weighing every
passage costs the head alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack

from kosparse.progress import track
from kosparse.sparse.activation import activate
from kosparse.sparse.backbone import body_fingerprint
from kosparse.sparse.model import SparseModel
from kosparse.sparse.morpheme_head import prior
from kosparse.sparse.morpheme_modules import MorphemeDocument
from kosparse.sparse.states import EncoderStates, cached_states

_CHECKED = 4
"""Texts weighed both ways: states on disk are half precision, and must not matter."""
_TOLERANCE = 0.02


def document_weights(model: SparseModel, texts: Sequence[str], cache: Path) -> csr_matrix:
    """Document weights as ``model.encode_documents`` gives them: shape [len(texts), terms].

    Args:
        model: Of word pieces or morphemes; the shorter way is taken for morphemes.
        texts: The collection.
        cache: Folder of encoder states.
    """
    weights = _from_states(model, texts, cache)
    if weights is None:
        return model.encode_documents(texts)
    chosen = list(range(0, len(texts), max(1, len(texts) // _CHECKED)))[:_CHECKED]
    difference = abs(weights[chosen] - model.encode_documents([texts[row] for row in chosen]))
    return weights if difference.max() < _TOLERANCE else model.encode_documents(texts)


def _from_states(model: SparseModel, texts: Sequence[str], cache: Path) -> csr_matrix | None:
    document: Any = next((part for part in model.encoder.modules() if isinstance(part, MorphemeDocument)), None)
    if document is None:
        return None
    body = body_fingerprint(document.network, document.pieces)
    states = cached_states(texts, cache=cache, body=body, max_length=document.max_seq_length)
    return None if states is None else _weigh(document, texts, states)


@torch.inference_mode()
def _weigh(document: MorphemeDocument, texts: Sequence[str], states: EncoderStates) -> csr_matrix:
    units, head = document.units, document.head
    rows = []
    for text, found in enumerate(track(units.of(list(texts)), "weighing", unit="passages")):
        own = document.saturation.of([found], len(units.names))[0].to(head.bias.device)
        weights = activate(head(states.of(text).to(head.bias.device)) + prior(own, head.threshold))
        rows.append(csr_matrix(weights.cpu().numpy().astype(np.float32)))
    return csr_matrix(vstack(rows, format="csr"))
