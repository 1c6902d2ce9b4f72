"""Exact search with a sparse model over a collection, on one machine."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, load_npz, save_npz

from kosparse.errors import InputError
from kosparse.jsonl import read_json, read_records, write_json
from kosparse.records import Passage
from kosparse.sparse.encoding import encode_to_shards, load_shards
from kosparse.sparse.model import SparseModel, load_sparse_model


@dataclass(frozen=True)
class Hit:
    """One document found."""

    document_id: str
    passage_id: str
    """Its best passage."""
    score: float


class SparseIndex:
    """Passage weights; a document scores as its best passage.

    Args:
        model: Encodes queries.
        weights: Shape [passages, terms].
        passage_ids: One per row.
        document_ids: The document of each passage.
    """

    def __init__(
        self, model: SparseModel, weights: csr_matrix, passage_ids: Sequence[str], document_ids: Sequence[str]
    ) -> None:
        if weights.shape != (len(passage_ids), len(model.terms)):
            raise InputError(
                f"the index has shape {weights.shape}, passages and model give {(len(passage_ids), len(model.terms))}",
                fix="Encode the collection again with this model.",
            )
        self.model, self.weights = model, weights
        self.passage_ids, self.document_ids = list(passage_ids), list(document_ids)

    @classmethod
    def open(cls, model: Path, passages: Path, folder: Path) -> SparseIndex:
        """The index kept in ``folder``; the passages are encoded and kept there first where it is missing.

        Raises:
            InputError: The index is of a model with other terms, or does not hold as many passages as it names.
        """
        loaded = load_sparse_model(model)
        if not (folder / "passages.json").is_file():
            rows = list(read_records(passages, Passage))
            ids, shards = [row.id for row in rows], folder / "shards"
            encode_to_shards(model, ids, [row.text for row in rows], shards)
            cls(loaded, load_shards(shards)[1], ids, [row.document_id for row in rows]).save(folder)
            shutil.rmtree(shards)
        kept, weights = read_json(folder / "passages.json"), csr_matrix(load_npz(folder / "weights.npz"))
        terms = _terms_hash(loaded.terms)
        # An index from before there was a hash has its shape checked alone.
        if kept.get("terms_sha256", terms) != terms:
            raise InputError(
                f"the index is over other terms ({weights.shape[1]:,}) than the model has ({len(loaded.terms):,})",
                where=str(folder),
                fix="It was made by another model: remove the folder, and the collection is encoded again.",
            )
        return cls(loaded, weights, kept["passages"], kept["documents"])

    def save(self, folder: Path) -> None:
        """Write ``weights.npz`` and ``passages.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        save_npz(folder / "weights.npz", self.weights)
        described = {"passages": self.passage_ids, "documents": self.document_ids}
        write_json(folder / "passages.json", {**described, "terms_sha256": _terms_hash(self.model.terms)})

    def search(self, query: str, k: int = 10) -> list[Hit]:
        """The best documents, best first; fewer than ``k`` when fewer share a term with the query."""
        vector = self.model.encode_queries([query])
        scores = np.asarray((self.weights @ vector.T).todense()).ravel()
        hits: dict[str, Hit] = {}
        for position in np.argsort(-scores, kind="stable"):
            document = self.document_ids[position]
            if scores[position] <= 0 or len(hits) == k:
                break
            hits.setdefault(document, Hit(document, self.passage_ids[position], float(scores[position])))
        return list(hits.values())


def _terms_hash(terms: Sequence[str]) -> str:
    """Of the names of all dimensions, in order."""
    return hashlib.sha256(json.dumps(list(terms)).encode()).hexdigest()
