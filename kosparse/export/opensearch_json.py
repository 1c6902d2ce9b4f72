"""The JSON an OpenSearch cluster is set up with: index template, pipelines, queries.

One OpenSearch document per passage, collapsed by ``document_id`` at search time: a document scores as
its best passage, as in training and evaluation. Needs the plugins ``analysis-nori`` and ``neural-search``.
"""

from __future__ import annotations

from typing import Any

NAME = "kosparse"
"""Of the index template and of the pipelines."""
INDEX = "kosparse-docs"
INDEX_PATTERN = "kosparse-*"
FIELD = "sparse"
"""The ``rank_features`` field of the passages' weights."""
SYNONYMS_PATH = "analysis/kosparse/synonyms.txt"
"""Relative to the ``config`` folder of every node."""
USER_DICTIONARY_PATH = "analysis/kosparse/nori_user_dictionary.txt"
"""Likewise."""
FUSED_SINCE, COLLAPSED_SINCE = (3, 0), (3, 1)
"""OpenSearch versions that know ``z_score``, and that collapse a hybrid query."""
MODEL_PLACEHOLDER = "<MODEL_ID>"
TOKENIZER_PLACEHOLDER = "<TOKENIZER_MODEL_ID>"
_PRUNE_RATIO = 0.1
"""Weights below this share of a passage's largest are dropped at ingest (OpenSearch's own default)."""


def index_template() -> dict[str, Any]:
    """Settings and mappings of the passage index, with the synonyms in the search analyzer."""
    return {
        "index_patterns": [INDEX_PATTERN],
        "template": {
            "settings": {"analysis": analysis()},
            "mappings": {
                "_source": {"excludes": [FIELD]},
                "properties": {
                    "document_id": {"type": "keyword"},
                    "position": {"type": "integer"},
                    "title": _korean_text(),
                    "text": _korean_text(),
                    "url": {"type": "keyword", "index": False},
                    "fingerprint": {"type": "keyword", "index": False, "doc_values": False},
                    FIELD: {"type": "rank_features"},
                },
            },
        },
    }


def ingest_pipeline() -> dict[str, Any]:
    """Encode passages inside the cluster, once the document encoder is registered there."""
    return {
        "description": "kosparse: weights of each passage",
        "processors": [
            {
                "sparse_encoding": {
                    "model_id": MODEL_PLACEHOLDER,
                    "prune_type": "max_ratio",
                    "prune_ratio": _PRUNE_RATIO,
                    "field_map": {"text": FIELD},
                }
            }
        ],
    }


def search_pipeline(fusion_weight: float) -> dict[str, Any]:
    """Two-phase scoring for sparse queries; z-score fusion for hybrid ones.

    Args:
        fusion_weight: Share of the sparse query in a hybrid one, in [0, 1].
    """
    weights = [round(1 - fusion_weight, 4), fusion_weight]
    return {
        "description": "kosparse: fast sparse queries, fusion with BM25",
        "request_processors": [{"neural_sparse_two_phase_processor": {"enabled": True}}],
        "phase_results_processors": [
            {
                "normalization-processor": {
                    "normalization": {"technique": "z_score"},
                    "combination": {"technique": "arithmetic_mean", "parameters": {"weights": weights}},
                }
            }
        ],
    }


def sparse_query(tokens: dict[str, float], size: int = 10) -> dict[str, Any]:
    """A search body for the sparse model alone, the query weighed by the client."""
    return {"size": size, "query": _neural_sparse(tokens), "collapse": {"field": "document_id"}}


def text_query(text: str, size: int = 10) -> dict[str, Any]:
    """The same, the query weighed by the cluster's tokenizer model."""
    asked = {"neural_sparse": {FIELD: {"query_text": text, "model_id": TOKENIZER_PLACEHOLDER}}}
    return {"size": size, "query": asked, "collapse": {"field": "document_id"}}


def hybrid_query(text: str, tokens: dict[str, float], size: int = 10) -> dict[str, Any]:
    """BM25 with synonyms and the sparse model, fused by the search pipeline (in the order of its weights)."""
    lexical = {"match": {"text": {"query": text}}}
    return {
        "size": size,
        "query": {"hybrid": {"queries": [lexical, _neural_sparse(tokens)]}},
        "collapse": {"field": "document_id"},
    }


def passage_example(tokens: dict[str, float], text: str) -> dict[str, Any]:
    """One document of the index, weighed by the client."""
    return {"document_id": "guide/cells", "position": 0, "title": "", "text": text, FIELD: tokens}


def _neural_sparse(tokens: dict[str, float]) -> dict[str, Any]:
    return {"neural_sparse": {FIELD: {"query_tokens": tokens}}}


def _korean_text() -> dict[str, Any]:
    return {"type": "text", "analyzer": "kosparse_index", "search_analyzer": "kosparse_search"}


def analysis() -> dict[str, Any]:
    """Analyzers of Korean text: the same for documents and queries, but for the synonyms of queries."""
    tokenizer = {"type": "nori_tokenizer", "decompound_mode": "discard", "user_dictionary": USER_DICTIONARY_PATH}
    synonyms = {"type": "synonym_graph", "synonyms_path": SYNONYMS_PATH, "updateable": True, "lenient": True}
    common = ["nori_part_of_speech", "nori_readingform", "lowercase"]
    return {
        "tokenizer": {"kosparse_nori": tokenizer},
        "filter": {"kosparse_synonyms": synonyms},
        "analyzer": {
            "kosparse_index": {"type": "custom", "tokenizer": "kosparse_nori", "filter": common},
            "kosparse_search": {
                "type": "custom",
                "tokenizer": "kosparse_nori",
                "filter": [*common, "kosparse_synonyms"],
            },
        },
    }
