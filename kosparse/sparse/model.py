"""The trained model: a sentence-transformers SparseEncoder folder, written and read.

Inference-free: a query is the set of its units, each with a stored weight; a document goes through the
encoder. A folder over word pieces needs nothing of ours to be loaded; one over morphemes needs this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack

from kosparse.errors import InputError
from kosparse.progress import Bar
from kosparse.sparse.activation import Activation
from kosparse.sparse.device import best_device
from kosparse.sparse.pruning import Pruning
from kosparse.sparse.states import length_groups
from kosparse.sparse.vocabulary import readable
from kosparse.trust import needs_trust, why_not_loaded

if TYPE_CHECKING:
    from kosparse.sparse.morpheme_modules import MorphemeDocument

_GROUP_CHARACTERS = {"cpu": 2048}
"""Of the texts encoded together, padding counted, by device: a processor is fastest with small groups."""
_MOST_GROUP_CHARACTERS = 65536
"""Of any other device."""
_LONGEST = 1024
"""Characters from which on texts count as equally long: the encoder cuts them."""
_ALL = Pruning()


def save_sparse_model(
    folder: Path, backbone: Path, model: Any, query_weights: torch.Tensor | None, activation: Activation
) -> None:
    """Write a SparseEncoder folder: Router(query: static weights, document: model and pooling), or these two alone.

    Args:
        folder: Where to write.
        backbone: Folder with the tokenizer.
        model: The trained masked language model.
        query_weights: One weight >= 0 per term, shape [vocabulary]; None where queries go through the model too.
        activation: What it was trained with; the folder says which.
    """
    import tempfile

    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.modules import (
        MLMTransformer,
        Router,
        SparseStaticEmbedding,
        SpladePooling,
    )
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(backbone)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        document = MLMTransformer(scratch, max_seq_length=tokenizer.model_max_length)
        pooling = SpladePooling(pooling_strategy="max", activation_function=activation.name)
        modules: list[Any] = [document, pooling]
        if query_weights is not None:
            query = SparseStaticEmbedding(tokenizer=tokenizer, weight=query_weights.detach().clone(), frozen=True)
            modules = [Router.for_query_document(query_modules=[query], document_modules=modules)]
        SparseEncoder(modules=modules, similarity_fn_name="dot", device="cpu").save(str(folder))


def save_morpheme_model(folder: Path, document: MorphemeDocument, query_weights: torch.Tensor) -> None:
    """Write a SparseEncoder folder: Router(query: weights of morphemes, document: encoder and head).

    Args:
        folder: Where to write.
        document: The trained document side, on the CPU.
        query_weights: One weight >= 0 per morpheme, shape [units].
    """
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.modules import Router

    from kosparse.sparse.morpheme_modules import MorphemeQuery

    query = MorphemeQuery(document.units, query_weights.detach().clone())
    router = Router.for_query_document(query_modules=[query], document_modules=[document])
    SparseEncoder(modules=[router], similarity_fn_name="dot", device="cpu").save(str(folder))


def load_sparse_model(folder: Path | str, device: str | None = None) -> SparseModel:
    """Load a SparseEncoder folder.

    Raises:
        InputError: It is not one.
    """
    from sentence_transformers import SparseEncoder

    from kosparse.sparse.fused_modules import fuse

    if not (Path(folder) / "modules.json").is_file():
        raise InputError("there is no sparse model here", where=str(folder), fix="Give a folder train_sparse wrote.")
    try:
        encoder = SparseEncoder(
            str(folder),
            device=device or best_device(),
            trust_remote_code=needs_trust(Path(folder)),
            model_kwargs={"use_safetensors": True},
        )
    except (OSError, ValueError, KeyError) as error:
        reason, fix = why_not_loaded(error, "Train it again, or check the files.")
        raise InputError(f"cannot load the sparse model: {reason}", where=str(folder), fix=fix) from error
    with suppress(InputError):  # Morphemes have a head of their own; a sum or a head we do not know stays plain.
        fuse(encoder)
    return SparseModel(encoder)


class SparseModel:
    """Texts to sparse weights over the vocabulary."""

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder
        self.terms: list[str] = encoder.tokenizer.convert_ids_to_tokens(range(len(encoder.tokenizer)))

    def encode_documents(self, texts: Sequence[str], pruning: Pruning = _ALL) -> csr_matrix:
        """Document weights: shape [len(texts), terms], weights > 0."""
        return self._encode(self.encoder.encode_document, texts, "documents", pruning)

    def encode_queries(self, texts: Sequence[str]) -> csr_matrix:
        """Query weights: shape [len(texts), terms]; a query of unknown pieces only is an empty row."""
        return self._encode(self.encoder.encode_query, texts, "queries", _ALL)

    def explain(self, vector: csr_matrix) -> list[tuple[str, float]]:
        """The terms of one row as a person reads them, heaviest first."""
        row = vector.tocoo()
        found = sorted(zip(row.col.tolist(), row.data.tolist(), strict=True), key=lambda pair: -pair[1])
        return [(readable(self.terms[column]), float(weight)) for column, weight in found]

    def _encode(self, encode: Any, texts: Sequence[str], what: str, pruning: Pruning) -> csr_matrix:
        """Texts of like length together; only one group's dense weights are held at a time."""
        if not texts:
            return csr_matrix((0, len(self.terms)), dtype=np.float32)
        most = _GROUP_CHARACTERS.get(self.encoder.device.type, _MOST_GROUP_CHARACTERS)
        groups = length_groups([min(len(text), _LONGEST) for text in texts], most)
        blocks, bar = [], Bar(f"encoding {what}", len(texts), "texts")
        for group in groups:
            dense = encode(
                [texts[position] for position in group],
                batch_size=len(group),
                show_progress_bar=False,
                convert_to_sparse_tensor=False,
                save_to_cpu=True,
            )
            # Some heads are padded to a round number of rows: behind the last piece there is nothing to search for.
            blocks.append(pruning(csr_matrix(dense[:, : len(self.terms)].float().numpy())))
            bar.advance(len(group))
        bar.close()
        back = np.argsort(np.concatenate(groups))
        return csr_matrix(vstack(blocks, format="csr")[back])
