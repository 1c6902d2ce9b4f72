"""What was reported of a registered model, measured once more with nothing but what was registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kosparse.errors import InputError
from kosparse.evaluation.metrics import PRIMARY, evaluate_run, mean
from kosparse.evaluation.review import Measured
from kosparse.evaluation.systems import sparse_run
from kosparse.records import Passage

Encode = Callable[[Sequence[str], Literal["document", "query"]], Sequence[Mapping[str, float]]]
"""Texts to ``{term: weight}``, in order."""

_SAME = 1e-3
"""Of a query's value: what was registered is rounded."""


@dataclass(frozen=True)
class Reproduction:
    """The registered and the reproduced mean of each metric."""

    means: Mapping[str, tuple[float, float]]
    """Registered, reproduced."""
    changed: int
    """Queries whose primary metric is another."""
    queries: int

    @property
    def difference(self) -> float:
        """Reproduced less registered, of the primary metric."""
        registered, reproduced = self.means[PRIMARY]
        return reproduced - registered


def reproduce(measured: Measured, passages: Sequence[Passage], encode: Encode) -> Reproduction:
    """Encode the evaluated queries and the passages, rank, and compare with what was registered.

    Args:
        measured: What the version brings along: queries, judgements and values.
        passages: All passages that were measured on.
        encode: The registered model.

    Raises:
        InputError: There are more or fewer passages than were measured on.
    """
    from sklearn.feature_extraction import DictVectorizer

    said = measured.results
    if len(passages) != said.passages:
        raise InputError(
            f"there are {len(passages):,} passages, {said.passages:,} were measured on",
            where=f"version {measured.version}",
            fix="Name the run that the version was registered from: --run.",
        )
    terms = DictVectorizer(dtype=np.float32)
    index = terms.fit_transform(encode([passage.text for passage in passages], "document"))
    asked = terms.transform(encode([row.query for row in measured.queries.values()], "query"))
    run = sparse_run(list(measured.queries), [row.document_id for row in passages], asked, index, said.depth)
    values = evaluate_run({name: row.relevant for name, row in measured.queries.items()}, run)
    registered = said.systems["sparse"].metrics
    before = measured.primary
    return Reproduction(
        means={metric: (registered[metric], mean(values[metric])) for metric in registered},
        changed=sum(abs(value - before[name]) > _SAME for name, value in values[PRIMARY].items()),
        queries=len(before),
    )
