"""Has the model been trained on what it is tested on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pydantic import BaseModel

from kosparse.evaluation.metrics import PRIMARY, mean


class Contamination(BaseModel):
    """Queries found on both sides, compared without case, spaces and punctuation."""

    training_queries: int
    """Training queries looked at."""
    training_queries_shared: int
    """... of them equal to an evaluated query."""
    evaluated_queries_shared: int
    """Evaluated queries equal to a training query."""
    examples: list[str]
    primary_without_shared: dict[str, float]
    """Primary metric of each system over the evaluated queries that are not shared."""


def check(
    training: Iterable[str],
    evaluated: Mapping[str, str],
    key: Callable[[str], str],
    per_query: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> Contamination:
    """Compare both sets of queries in both directions.

    Args:
        training: Texts of all queries trained on.
        evaluated: Text by query id.
        key: What makes two texts equal (``corpus.text.query_key``).
        per_query: Values by system, metric and query id.
    """
    training_keys = [key(text) for text in training]
    evaluated_keys = {query_id: key(text) for query_id, text in evaluated.items()}
    known, asked = set(training_keys), set(evaluated_keys.values())
    shared = {query_id for query_id, text_key in evaluated_keys.items() if text_key in known}
    return Contamination(
        training_queries=len(training_keys),
        training_queries_shared=sum(text_key in asked for text_key in training_keys),
        evaluated_queries_shared=len(shared),
        examples=[evaluated[query_id] for query_id in sorted(shared)][:10],
        primary_without_shared={
            system: round(mean({query: value for query, value in values[PRIMARY].items() if query not in shared}), 6)
            for system, values in per_query.items()
        },
    )
