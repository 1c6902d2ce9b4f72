"""What each part of the training brings: variants of one run, several seeds each, compared query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel

from kosparse.evaluation.seeds import of_difference, pooled_spread
from kosparse.evaluation.significance import Paired, bootstrap_interval, holm, paired
from kosparse.records import TrainingQuery

REFERENCE = "full"


@dataclass(frozen=True)
class Variant:
    """One way to train.

    Args:
        shown: What a reader sees.
        config: Changes to ``train_sparse``'s settings.
        backbone: Changes to ``prepare_backbone``'s settings; a backbone is made anew for them.
        queries: Which training queries it learns from.
        real: Whether the real queries of the train split are added to them.
        dictionary: Entries it is supervised by: verified ones, every mined candidate, those of embeddings, or none.
    """

    shown: str
    config: Mapping[str, Any] = field(default_factory=dict)
    backbone: Mapping[str, Any] = field(default_factory=dict)
    queries: Literal["all", "pseudo", "synthetic", "real"] = "all"
    real: bool = False
    dictionary: Literal["verified", "mined", "embedding", "none"] = "verified"

    def learns_from(self, query: TrainingQuery) -> bool:
        """Whether a query belongs to this variant's training queries."""
        return self.queries in ("all", query.group)


VARIANTS: dict[str, Variant] = {
    REFERENCE: Variant("as configured"),
    "untrained": Variant("backbone at the target, not trained", {"max_steps": 0, "closed_form": False}),
    "no_prior": Variant("the encoder alone: no start as BM25", {"lexical_prior": False}),
    "no_lead": Variant("words count alike wherever they stand in a passage", {"lead_weight": 0.0}),
    "pieces": Variant("over word pieces instead of morphemes", backbone={"units": "pieces"}),
    "adapted": Variant("encoder adapted by masked language modelling", backbone={"adapt_steps": 300}),
    "no_closed_form": Variant("rows not fitted to the dense teacher first", {"closed_form": False}),
    "closed_form_only": Variant("rows fitted, no step taken", {"max_steps": 0}),
    "no_synthetic": Variant("without synthetic pairs", queries="pseudo"),
    "synthetic_only": Variant("synthetic pairs only", {"synthetic_share": 1.0}, queries="synthetic"),
    "ratio_1_2": Variant("synthetic to pseudo-queries 1:2", {"synthetic_share": 1 / 3}),
    "ratio_1_1": Variant("synthetic to pseudo-queries 1:1", {"synthetic_share": 0.5}),
    "ratio_2_1": Variant("synthetic to pseudo-queries 2:1", {"synthetic_share": 2 / 3}),
    "real_only": Variant("real queries of the train split only", queries="real", real=True),
    "real": Variant("real queries for the weights of a query's words alone", {"real_share": 0.0}, real=True),
    "real_1_1": Variant("real to generated queries 1:1", {"real_share": 0.5}, real=True),
    "real_1_2": Variant("real to generated queries 1:2", {"real_share": 1 / 3}, real=True),
    "no_dictionary": Variant("without the dictionary", {"dictionary_weight": 0.0}, dictionary="none"),
    "no_translations": Variant("dictionary in the loss alone", {"translation_share": 0.0}),
    "mined_dictionary": Variant("dictionary not verified", dictionary="mined"),
    "embedding_dictionary": Variant("dictionary of embedding neighbours, not verified", dictionary="embedding"),
    "log1p_relu": Variant("the logarithm twice instead of log(1 + relu)", {"activation": "log1p_relu"}),
    "no_distillation": Variant("own passage as the only target", {"label_weight": 1.0}),
    "with_margin_mse": Variant("MarginMSE beside the divergence", {"margin_mse_weight": 1.0}),
    "with_info_nce": Variant("InfoNCE beside the divergence", {"info_nce_weight": 0.1}),
    "no_negatives": Variant("the same, no hard negatives", {"info_nce_weight": 0.1, "negatives_per_query": 0}),
    "with_own_negatives": Variant("the same, negatives mined anew twice", {"info_nce_weight": 0.1, "rounds": 3}),
}


class AblationRow(BaseModel):
    """One variant over all seeds."""

    variant: str
    shown: str
    seeds: list[int]
    metric: float
    """Mean of the primary metric over seeds and queries."""
    interval: tuple[float, float]
    """95 % bootstrap interval over queries, of their means over seeds."""
    spread: float
    """Standard deviation of the seeds' means; 0 for one seed."""
    cross_script: dict[str, float] = {}
    """The same by direction (``ko_en``, ``en_ko``), where the collection has parallel text."""
    active_dims_doc: float
    seconds: float
    """Mean training time."""
    difference: float
    """To the reference."""
    p_corrected: float | None
    """Paired, against the reference, queries and seeds considered, Holm-corrected; None for the reference itself."""
    p_bm25: float
    """Paired randomisation against BM25, Holm-corrected over all rows."""
    fused: float
    """The metric of the z-score fusion with BM25."""


class Baseline(BaseModel):
    """A system that is not trained here, on the same queries."""

    system: str
    metric: float
    cross_script: dict[str, float] = {}


class SeedResult(BaseModel):
    """One training."""

    variant: str
    seed: int
    values: dict[str, float]
    """Primary metric by query id."""
    fused: dict[str, float]
    """The same of its fusion with BM25."""
    cross_script: dict[str, float] = {}
    """Mean of the primary metric by direction."""
    active_dims_doc: float
    seconds: float

    @property
    def mean(self) -> float:
        """Of the primary metric over the queries."""
        return float(np.mean(list(self.values.values())))


def summarise(
    results: Sequence[SeedResult], bm25: Mapping[str, float], *, permutations: int = 10000, seed: int = 13
) -> list[AblationRow]:
    """One row per variant, in the order they were run; the reference must be among them.

    Args:
        results: All trainings, of the same queries.
        bm25: BM25's metric by query id.
        permutations: Of each paired test.
        seed: Of tests and intervals.
    """
    by_variant: dict[str, list[SeedResult]] = {}
    for result in results:
        by_variant.setdefault(result.variant, []).append(result)
    queries = list(results[0].values)
    means = {name: _mean_over_seeds(rows, queries) for name, rows in by_variant.items()}
    others = [name for name in means if name != REFERENCE]
    spread = seed_spread(results)

    def against_reference(name: str) -> Paired:
        apart = of_difference(spread, len(by_variant[name]), len(by_variant[REFERENCE]))
        return paired(means[name], means[REFERENCE], seed_spread=apart, permutations=permutations, seed=seed)

    compared = {name: against_reference(name) for name in others}
    corrected = dict(zip(others, holm([compared[name].p for name in others]), strict=True))
    lexical = np.array([bm25[query] for query in queries])
    raw = [paired(each, lexical, permutations=permutations, seed=seed).p for each in means.values()]
    against_bm25 = dict(zip(means, holm(raw), strict=True))
    return [
        AblationRow(
            variant=name,
            shown=VARIANTS[name].shown,
            seeds=[row.seed for row in rows],
            metric=round(float(means[name].mean()), 6),
            interval=bootstrap_interval(means[name], seed=seed),
            spread=round(float(np.std([row.mean for row in rows])), 6),
            cross_script={
                direction: round(float(np.mean([row.cross_script[direction] for row in rows])), 6)
                for direction in rows[0].cross_script
            },
            active_dims_doc=round(float(np.mean([row.active_dims_doc for row in rows])), 1),
            seconds=round(float(np.mean([row.seconds for row in rows])), 1),
            difference=compared[name].difference if name in compared else 0.0,
            p_corrected=corrected.get(name),
            p_bm25=against_bm25[name],
            fused=round(float(np.mean([list(row.fused.values()) for row in rows])), 6),
        )
        for name, rows in by_variant.items()
    ]


def seed_spread(results: Sequence[SeedResult]) -> float:
    """Standard deviation of a training's primary metric over its seeds, pooled over the variants."""
    return pooled_spread([[each.mean for each in results if each.variant == name] for name in _names(results)])


def same_recipe_pairs(results: Sequence[SeedResult], level: float = 0.05) -> tuple[int, int]:
    """How many pairs of trainings of one variant there are, and how many of them are called different."""
    apart = of_difference(seed_spread(results))
    p_values = [
        paired(_values(first), _values(second), seed_spread=apart).p
        for first, second in combinations(results, 2)
        if first.variant == second.variant
    ]
    return len(p_values), sum(p < level for p in p_values)


def _names(results: Sequence[SeedResult]) -> list[str]:
    return list(dict.fromkeys(each.variant for each in results))


def _values(result: SeedResult) -> np.ndarray:
    return np.array(list(result.values.values()), dtype=np.float64)


def _mean_over_seeds(rows: Sequence[SeedResult], queries: Sequence[str]) -> np.ndarray:
    return np.array([[row.values[query] for query in queries] for row in rows], dtype=np.float64).mean(axis=0)
