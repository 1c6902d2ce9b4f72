"""Passages as an OpenSearch index holds them, each with a fingerprint of what it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from scipy.sparse import csr_matrix

from kosparse.export.opensearch_json import FIELD
from kosparse.records import Document, Passage
from kosparse.sparse.pruning import Pruning


def fingerprint(encoder: str, passage: Passage, document: Document, pruning: Pruning) -> str:
    """SHA-256 over everything a row is made from: equal ones need not be sent again.

    Args:
        encoder: ``document_side_hash`` of the model.
        passage: What is indexed.
        document: Where it belongs.
        pruning: Which weights are kept.
    """
    made_from = [encoder, asdict(pruning), passage.model_dump(), document.title, document.url]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def rows(
    passages: Sequence[Passage],
    documents: Mapping[str, Document],
    prints: Sequence[str],
    weights: csr_matrix,
    terms: Sequence[str],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and body of each passage.

    Args:
        passages: What is indexed.
        documents: By id; holds each passage's.
        prints: The passages' fingerprints.
        weights: Of the passages, shape [passages, terms]; only those above 0 are stored.
        terms: Names of the dimensions.
    """
    for place, passage in enumerate(passages):
        document, row = documents[passage.document_id], weights[place].tocoo()
        yield (
            passage.id,
            {
                "document_id": passage.document_id,
                "position": passage.position,
                "title": document.title,
                "text": passage.text,
                "url": document.url,
                "fingerprint": prints[place],
                FIELD: {
                    terms[term]: float(weight) for term, weight in zip(row.col, row.data, strict=True) if weight > 0
                },
            },
        )
