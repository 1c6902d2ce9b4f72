"""Dense text vectors by sentence-transformers, kept on disk by content.

The default is the packaged multilingual-e5-small; ``KOSPARSE_EMBEDDER`` names another hub id or folder.
Texts get the model's own prompts ``query`` and ``passage``, or ``query: `` and ``passage: `` where it
has none (Wang et al. 2024, arXiv 2402.05672).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from kosparse.adapters.vector_cache import VectorCache
from kosparse.errors import InputError
from kosparse.models import PROVENANCE, resolve
from kosparse.ports import Vectors
from kosparse.progress import Bar
from kosparse.settings import settings
from kosparse.trust import why_not_loaded

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT = "packaged:multilingual-e5-small"
_BATCH_TEXTS = 128
_BATCH_CHARACTERS = {"cpu": 2048}
"""Padded size of a batch, by device: a processor is fastest where a layer's activations stay in its cache."""
_MOST_BATCH_CHARACTERS = 65536
"""Of any other device."""
_SAME = 0.999
"""Cosine from which on two vectors of a text are taken for the same; half precision gives .99999."""


def open_embedder(name: str = "") -> SentenceEmbedder:
    """Open the embedder the settings name.

    Args:
        name: Hub id, folder or ``packaged:<name>``; empty takes ``KOSPARSE_EMBEDDER``, then the default.

    Raises:
        InputError: There is no such model.
    """
    current = settings()
    return SentenceEmbedder(str(resolve(name or current.embedder or DEFAULT)), current.embedding_cache)


class SentenceEmbedder:
    """An ``Embedder``. The model is loaded when the first vector is missing from the cache."""

    def __init__(self, model: str, cache_folder: Path) -> None:
        self.model_name = model
        self.fingerprint = _fingerprint(model)
        self._cache = VectorCache(cache_folder / f"{self.fingerprint}.sqlite")

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        known = self._cache.dimensions()
        return known if known else int(self._model.get_embedding_dimension() or 0)

    def encode(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """One unit vector per text, in order: shape [len(texts), dimensions].

        A text longer than the model's window is cut at its end.
        """
        keys = [_key(kind, text) for text in texts]
        found = self._cache.get(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            found |= self._compute(missing, kind)
        vectors = np.empty((len(keys), self.dimensions), dtype=np.float32)
        for row, key in enumerate(keys):
            vectors[row] = found[key]
        return vectors

    def remember(self, texts: Sequence[str], kind: Literal["query", "passage"], vectors: Vectors) -> bool:
        """Keep vectors that were made elsewhere, if they are what this model gives; say whether they are.

        The shortest, the middle and the longest text are encoded here and compared.
        """
        order = sorted(range(len(texts)), key=lambda position: len(texts[position]))
        if not order or vectors.shape[1] != self.dimensions:
            return False
        sample = [order[0], order[len(order) // 2], order[-1]]
        own = self.encode([texts[position] for position in sample], kind)
        if float((own * vectors[sample]).sum(1).min()) < _SAME:
            return False
        self._cache.put({_key(kind, text): vector for text, vector in zip(texts, vectors, strict=True)})
        return True

    def _compute(self, missing: dict[str, str], kind: str) -> dict[str, Vectors]:
        """Encode texts of like length together, and keep each batch as soon as it is done."""
        found: dict[str, Vectors] = {}
        bar = Bar("embedding", len(missing), "texts")
        most = _BATCH_CHARACTERS.get(self._model.device.type, _MOST_BATCH_CHARACTERS)
        for keys in batches(sorted(missing, key=lambda key: len(missing[key])), missing, most):
            vectors = self._model.encode(
                [missing[key] for key in keys],
                prompt=self._prompt(kind),
                batch_size=len(keys),
                normalize_embeddings=True,
                show_progress_bar=False,
            )
            batch = dict(zip(keys, np.asarray(vectors, dtype=np.float32), strict=True))
            self._cache.put(batch)
            found |= batch
            bar.advance(len(keys))
        bar.close()
        return found

    def _prompt(self, kind: str) -> str:
        prompts = self._model.prompts or {}
        return prompts.get(kind) or f"{kind}: "

    @cached_property
    def _model(self) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer

        from kosparse.models.quiet import quiet_transformers

        try:
            with quiet_transformers():
                return SentenceTransformer(self.model_name, model_kwargs={"use_safetensors": True})
        except (OSError, ValueError) as error:
            reason, fix = why_not_loaded(
                error,
                "Set KOSPARSE_EMBEDDER to a sentence-transformers folder or a hub id this machine can reach; "
                f"unset it for {DEFAULT}.",
            )
            raise InputError(f"cannot load the embedder: {reason}", where=self.model_name, fix=fix) from error


def batches(keys: Sequence[str], texts: dict[str, str], most: int) -> list[list[str]]:
    """Cut keys, sorted by text length, into batches of at most ``most`` padded characters (at least one text each)."""
    cut: list[list[str]] = []
    for key in keys:
        longest = max(1, len(texts[key]))
        if not cut or len(cut[-1]) >= _BATCH_TEXTS or (len(cut[-1]) + 1) * longest > most:
            cut.append([])
        cut[-1].append(key)
    return cut


def _key(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}\0{text}".encode()).hexdigest()


def _fingerprint(model: str) -> str:
    """A hub id's name, or a folder's content: its provenance, or the size and time of its files."""
    folder = Path(model)
    if not folder.is_dir():
        return hashlib.sha256(model.encode()).hexdigest()[:16]
    provenance = folder / PROVENANCE
    if provenance.is_file():
        content = provenance.read_bytes()
    else:
        states = ((path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file())
        content = repr([(str(path), state.st_size, state.st_mtime_ns) for path, state in states]).encode()
    return hashlib.sha256(content).hexdigest()[:16]
