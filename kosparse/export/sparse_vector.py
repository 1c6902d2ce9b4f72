"""The same index with an approximate search: field type ``sparse_vector`` of OpenSearch 3.3 and newer.

Its keys are numbers, the places of the names in ``terms.json``. Weights become bytes: what lies above a ceiling counts
as the ceiling. Passages have one of 3, OpenSearch's own default, where weights are log(1 + log(1 + x)): these stay
below 2. Of log(1 + x) it is 7, which no logit below 1,000 reaches. Queries get the least whole number that none of
their weights exceeds: they hold an IDF, and the ceiling of 3 that is recommended where an encoder weighs queries would
cut most of it off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kosparse.export import opensearch_json as body
from kosparse.jsonl import write_json

if TYPE_CHECKING:
    from kosparse.sparse.activation import ActivationName

NAME = "kosparse-ann"
"""Of the index template and of the search pipeline."""
INDEX_PATTERN = "kosparse-ann-*"
PASSAGE_CEILINGS = {"log1p_relu": 3.0, "relu": 7.0}
"""By the model's activation: passage weights above it are cut to it."""
_ENCODED_QUERY_CEILING = 3.0
"""For queries that an encoder weighs, as OpenSearch recommends."""
_KEPT_TERMS, _NEAREST = 10, 100
"""Heaviest terms of a query that are looked up; passages found before they are collapsed to documents."""


def write_sparse_vector(
    folder: Path,
    terms: Sequence[str],
    query_weights: Mapping[str, float] | None,
    example: tuple[Mapping[str, float], Mapping[str, float]],
    texts: tuple[str, str],
    fusion_weight: float,
    *,
    activation: ActivationName = "log1p_relu",
) -> None:
    """Write index template, search pipeline, names of the dimensions and examples.

    Args:
        folder: Where to write.
        terms: Name of each dimension, by its number.
        query_weights: By name; None when an encoder weighs queries.
        example: Weights > 0 of a query and of a passage, by name.
        texts: Of the same query and passage.
        fusion_weight: Share of the sparse query in a hybrid one.
        activation: Of the model's passages.
    """
    query, passage = (numbered(weights, terms) for weights in example)
    ceilings = PASSAGE_CEILINGS[activation], query_ceiling(query_weights)
    write_json(folder / "index_template.json", index_template(*ceilings))
    write_json(folder / "search_pipeline.json", search_pipeline(fusion_weight))
    write_json(folder / "terms.json", list(terms))
    write_json(folder / "examples" / "passage.json", body.passage_example(passage, texts[1]))
    write_json(folder / "examples" / "sparse_query.json", sparse_query(query))
    write_json(folder / "examples" / "hybrid_query.json", hybrid_query(texts[0], query))


def numbered(weights: Mapping[str, float], terms: Sequence[str]) -> dict[str, float]:
    """Weights by the number of their dimension, as text; names that are no dimension are left out.

    >>> numbered({"셀": 1.5, "없음": 1.0}, ["표", "셀"])
    {'1': 1.5}
    """
    places = {name: place for place, name in enumerate(terms)}
    return {str(places[name]): weight for name, weight in weights.items() if name in places}


def query_ceiling(query_weights: Mapping[str, float] | None) -> float:
    """The least whole number that no query weight exceeds.

    >>> query_ceiling({"셀": 6.94, "표": 2.0}), query_ceiling(None)
    (7.0, 3.0)
    """
    return float(math.ceil(max(query_weights.values()))) if query_weights else _ENCODED_QUERY_CEILING


def index_template(passages: float, queries: float) -> dict[str, Any]:
    """As ``opensearch_json.index_template``, with another type of field; it goes before the plainer one.

    Args:
        passages: Weights of passages above it are cut to it.
        queries: Likewise.
    """
    plain = body.index_template()["template"]
    parameters = {"quantization_ceiling_ingest": passages, "quantization_ceiling_search": queries}
    field = {"type": "sparse_vector", "method": {"name": "seismic", "parameters": parameters}}
    mappings = {**plain["mappings"], "properties": {**plain["mappings"]["properties"], body.FIELD: field}}
    settings = {"index": {"sparse": True}, **plain["settings"]}
    return {
        "index_patterns": [INDEX_PATTERN],
        "priority": 1,
        "template": {"settings": settings, "mappings": mappings},
    }


def search_pipeline(fusion_weight: float) -> dict[str, Any]:
    """The fusion alone: two-phase scoring is not to be combined with an approximate search."""
    plain = body.search_pipeline(fusion_weight)
    return {name: part for name, part in plain.items() if name != "request_processors"}


def sparse_query(tokens: Mapping[str, float], size: int = 10) -> dict[str, Any]:
    """A search body for the sparse model alone, the query weighed by the client."""
    return {"size": size, "query": _approximate(tokens), "collapse": {"field": "document_id"}}


def hybrid_query(text: str, tokens: Mapping[str, float], size: int = 10) -> dict[str, Any]:
    """BM25 with synonyms and the sparse model, fused by the search pipeline."""
    plain = body.hybrid_query(text, {}, size)
    lexical, _ = plain["query"]["hybrid"]["queries"]
    return {**plain, "query": {"hybrid": {"queries": [lexical, _approximate(tokens)]}}}


def _approximate(tokens: Mapping[str, float]) -> dict[str, Any]:
    parameters = {"k": _NEAREST, "top_n": _KEPT_TERMS, "heap_factor": 1.0}
    return {"neural_sparse": {body.FIELD: {"query_tokens": dict(tokens), "method_parameters": parameters}}}
