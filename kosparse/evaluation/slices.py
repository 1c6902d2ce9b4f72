"""Where a model wins and where it loses: the primary metric over kinds of queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
from pydantic import BaseModel

from kosparse.corpus.text import hangul_syllables
from kosparse.evaluation.judgements import Judgements
from kosparse.evaluation.metrics import PRIMARY
from kosparse.evaluation.significance import holm, paired

_LATIN = re.compile(r"[A-Za-z]")
_QUESTION = re.compile(r"(\?|까|나요|가요|는지|은지|인지|을까요|어떻게|왜|무엇)\s*[?.]?\s*$")

Terms = Sequence[Sequence[str]]
"""Content morphemes of each query or document."""


class Slice(BaseModel):
    """One kind of query."""

    by: str
    """What the queries were divided by: ``script``, ``shape``, ``length``, ``overlap``, or ``language`` (of queries
    that no judgement was made for: English headings of Korean pages)."""
    name: str
    queries: int
    systems: dict[str, float]
    """Primary metric of each system over these queries."""
    difference: float
    """The sparse model less the baseline."""
    interval: tuple[float, float]
    p: float
    p_corrected: float
    """Holm-corrected over all slices."""
    better: int
    worse: int


def script(query: str) -> str:
    """``Korean``, ``mixed`` (Hangul and Latin letters) or ``no Hangul``.

    >>> script("셀 보호"), script("PDF 내보내기"), script("protect cells")
    ('Korean', 'mixed', 'no Hangul')
    """
    if not hangul_syllables(query):
        return "no Hangul"
    return "mixed" if _LATIN.search(query) else "Korean"


def shape(query: str) -> str:
    """``question`` by its ending, else ``phrase``.

    >>> shape("셀을 어떻게 보호하나요?"), shape("셀 보호")
    ('question', 'phrase')
    """
    return "question" if _QUESTION.search(query) else "phrase"


def length(terms: Sequence[str]) -> str:
    """Number of content morphemes, in three bands."""
    return "1 morpheme or none" if len(terms) < 2 else "2 or 3" if len(terms) < 4 else "4 or more"


def overlap(terms: Sequence[str], relevant: Terms) -> str:
    """How many of a query's morphemes its best relevant document holds: ``all``, ``some`` or ``none``."""
    asked = set(terms)
    shared = max((len(asked.intersection(document)) for document in relevant), default=0)
    return "none" if not shared else "all" if shared == len(asked) else "some"


def slice_results(
    judgements: Judgements,
    values: Mapping[str, Mapping[str, Mapping[str, float]]],
    query_terms: Mapping[str, Sequence[str]],
    document_terms: Mapping[str, Sequence[str]],
    *,
    permutations: int,
    seed: int,
) -> list[Slice]:
    """Divide the queries in four ways, and compare the sparse model with the baseline in each part.

    Args:
        judgements: Queries and what is relevant to them.
        values: Per-query values by system, metric and query id; holds ``sparse`` and ``bm25_kiwi``.
        query_terms: Content morphemes by query id.
        document_terms: Content morphemes by document id.
        permutations: Of the paired randomisation test.
        seed: Of the test and the intervals.
    """

    def relevant(query_id: str) -> Terms:
        return [document_terms[name] for name, grade in judgements.qrels[query_id].items() if grade > 0]

    ways: dict[str, Callable[[str], str]] = {
        "script": lambda query_id: script(judgements.queries[query_id]),
        "shape": lambda query_id: shape(judgements.queries[query_id]),
        "length": lambda query_id: length(query_terms[query_id]),
        "overlap": lambda query_id: overlap(query_terms[query_id], relevant(query_id)),
    }
    rows = []
    for by, kind in ways.items():
        parts: dict[str, list[str]] = {}
        for query_id in judgements.queries:
            parts.setdefault(kind(query_id), []).append(query_id)
        rows += [(by, name, members) for name, members in sorted(parts.items())]
    return compare_slices(rows, values, permutations, seed)


def compare_slices(
    rows: Sequence[tuple[str, str, list[str]]],
    values: Mapping[str, Mapping[str, Mapping[str, float]]],
    permutations: int,
    seed: int,
) -> list[Slice]:
    """Compare the sparse model with the baseline in each part.

    Args:
        rows: What the queries were divided by, the part's name, and its query ids.
        values: Per-query values by system, metric and query id.
        permutations: Of the paired randomisation test.
        seed: Of the test and the intervals.
    """
    scores = [
        {system: np.array([metrics[PRIMARY][query_id] for query_id in members]) for system, metrics in values.items()}
        for _, _, members in rows
    ]
    found = [paired(each["sparse"], each["bm25_kiwi"], permutations=permutations, seed=seed) for each in scores]
    corrected = holm([row.p for row in found])
    return [
        Slice(
            by=by,
            name=name,
            queries=len(members),
            systems={system: round(float(each.mean()), 6) for system, each in column.items()},
            p_corrected=p,
            **asdict(row),
        )
        for (by, name, members), column, row, p in zip(rows, scores, found, corrected, strict=True)
    ]
