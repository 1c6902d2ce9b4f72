"""Challenger against champion: the same queries, a paired test, and the gates of a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kosparse.config.promotion import PromotionPolicy
from kosparse.errors import InputError
from kosparse.evaluation.metrics import METRICS, PRIMARY
from kosparse.evaluation.results import AgainstChampion, Comparison, QueryResult, Results
from kosparse.evaluation.seeds import SEED_SPREAD, of_difference
from kosparse.evaluation.significance import Paired, paired
from kosparse.evaluation.verdict import p_text
from kosparse.jsonl import read_json

_SYSTEM = "sparse"


@dataclass(frozen=True)
class Measured:
    """What a registered version brings along."""

    version: str
    results: Results
    queries: Mapping[str, QueryResult]
    """By query id."""

    def values(self, query_ids: Sequence[str], metric: str = PRIMARY) -> np.ndarray:
        """The sparse model's values of a metric, in the order given."""
        return np.array([self.queries[name].systems[_SYSTEM][metric] for name in query_ids], dtype=np.float64)

    @property
    def primary(self) -> dict[str, float]:
        """The sparse model's primary metric by query id."""
        return {name: row.systems[_SYSTEM][PRIMARY] for name, row in self.queries.items()}

    @classmethod
    def parse(cls, version: str, results: bytes, per_query: bytes) -> Measured:
        """From ``results.json`` and ``per_query.jsonl`` as they were registered.

        Raises:
            InputError: They are not what ``evaluate`` writes.
        """
        try:
            rows = [QueryResult.model_validate_json(line) for line in per_query.splitlines() if line.strip()]
            return cls(version, Results.model_validate_json(results), {row.query_id: row for row in rows})
        except ValueError as error:
            raise InputError(
                f"what was registered with version {version} cannot be read: {str(error).splitlines()[0]}",
                where=f"version {version}",
                fix="It was registered by another kosparse: register it again (`kosparse register --run ...`).",
            ) from error


def read_champion(folder: Path) -> Measured | None:
    """The champion as ``check_prerequisites`` found it; None where there was none.

    Raises:
        InputError: The folder holds something else.
    """
    version = str(read_json(folder / "champion.json").get("version", ""))
    if not version:
        return None
    return Measured.parse(version, (folder / "results.json").read_bytes(), (folder / "per_query.jsonl").read_bytes())


@dataclass(frozen=True)
class Change:
    """One query that the challenger answers better or worse than the champion."""

    query: str
    champion: float
    challenger: float


@dataclass(frozen=True)
class Review:
    """Both versions, side by side."""

    challenger: Measured
    champion: Measured | None
    shared: int
    """Queries both were measured on, with the same judgements."""
    means: Mapping[str, tuple[float, float]]
    """Champion's and challenger's mean of each metric over the shared queries."""
    difference: Paired | None
    """Challenger less champion on the primary metric; None without a champion or a shared query."""
    won: Sequence[Change]
    lost: Sequence[Change]

    @property
    def same_queries(self) -> bool:
        """Whether both were measured on exactly the same."""
        return self.champion is None or self.shared == len(self.challenger.queries) == len(self.champion.queries)


@dataclass(frozen=True)
class Gate:
    """One condition of the policy."""

    name: str
    passed: bool
    said: str


def review(challenger: Measured, champion: Measured | None, *, changes: int = 5, seed: int = 13) -> Review:
    """Compare two versions on the queries they share: as two trainings, whose seeds differ too.

    Args:
        challenger: The new one.
        champion: The one in use; None when there is none.
        changes: Queries won and lost to show, each.
        seed: Of the test.
    """
    if champion is None:
        return Review(challenger, None, 0, {}, None, [], [])
    shared = [
        name
        for name, row in challenger.queries.items()
        if name in champion.queries and champion.queries[name].relevant == row.relevant
    ]
    if not shared:
        return Review(challenger, champion, 0, {}, None, [], [])
    means = {
        metric: (float(champion.values(shared, metric).mean()), float(challenger.values(shared, metric).mean()))
        for metric in METRICS
    }
    new, old = challenger.values(shared), champion.values(shared)
    order = np.argsort(old - new, kind="stable")
    rows = [Change(challenger.queries[shared[at]].query, float(old[at]), float(new[at])) for at in order]
    return Review(
        challenger,
        champion,
        len(shared),
        means,
        paired(new, old, seed_spread=of_difference(SEED_SPREAD), seed=seed),
        [row for row in rows[:changes] if row.challenger > row.champion],
        [row for row in rows[::-1][:changes] if row.challenger < row.champion],
    )


def against_champion(challenger: Measured, champion: Measured | None) -> AgainstChampion | None:
    """The numbers of a review, for ``results.json``."""
    if champion is None:
        return None
    found = review(challenger, champion, changes=0)
    return AgainstChampion(
        version=champion.version, queries=found.shared, means=dict(found.means), difference=found.difference
    )


def gates(found: Review, policy: PromotionPolicy) -> list[Gate]:
    """What the policy says to a review, one line per gate that is on."""
    results = found.challenger.results
    rows = [Gate("min_queries", results.queries >= policy.min_queries, f"{results.queries} queries")]
    if policy.real_judgements:
        rows.append(Gate("real_judgements", results.judgements == "real", f"measured on {results.judgements} queries"))
    if policy.beats_bm25:
        rows.append(_beats_bm25(results.comparisons, policy.significance))
    dims = results.systems[_SYSTEM].efficiency.active_dims_doc or 0.0
    rows.append(Gate("max_active_dims_doc", dims <= policy.max_active_dims_doc, f"{dims:.0f} active dimensions"))
    shared = results.contamination.evaluated_queries_shared
    rows.append(
        Gate("max_contaminated_queries", shared <= policy.max_contaminated_queries, f"{shared} queries trained on")
    )
    return rows + _against_champion(found, policy)


def _beats_bm25(comparisons: Sequence[Comparison], level: float) -> Gate:
    ours = [row for row in comparisons if row.system in (_SYSTEM, "fusion")]
    better = [row for row in ours if row.difference > 0 and row.p_corrected < level]
    said = ", ".join(f"{row.system} {row.difference:+.3f} (p {p_text(row.p_corrected)})" for row in ours)
    return Gate("beats_bm25", bool(better), said)


def _against_champion(found: Review, policy: PromotionPolicy) -> list[Gate]:
    if found.champion is None:
        return []
    rows = []
    if policy.same_queries:
        counts = f"{found.shared} shared of {len(found.champion.queries)} and {len(found.challenger.queries)}"
        rows.append(Gate("same_queries", found.same_queries, counts))
    if policy.not_worse_than_champion:
        rows.append(_not_worse(found.difference, policy.significance))
    return rows


def _not_worse(difference: Paired | None, level: float) -> Gate:
    if difference is None:
        return Gate("not_worse_than_champion", False, "no query was measured for both")
    worse = difference.difference < 0 and difference.p < level
    return Gate("not_worse_than_champion", not worse, f"{difference.difference:+.4f} (p {p_text(difference.p)})")
