from itertools import combinations

import numpy as np
import pytest

from kosparse.evaluation.ablation import REFERENCE, VARIANTS, SeedResult, same_recipe_pairs, seed_spread, summarise
from kosparse.evaluation.significance import paired
from kosparse.records import TrainingQuery


def _named(*values):
    return {f"q{n}": value for n, value in enumerate(values)}


def _means(result):
    return np.array(list(result.values.values()))


def _result(variant, seed, *values):
    given = {"values": _named(*values), "fused": _named(*(value / 2 for value in values))}
    return SeedResult(variant=variant, seed=seed, **given, active_dims_doc=100 + seed, seconds=10 * seed)


def test_seeds_are_averaged_query_by_query():
    rows = summarise(
        [_result("full", 1, 1, 0.5, 0), _result("full", 2, 0, 0.5, 1), _result("untrained", 1, 0.5, 0.5, 0.5)],
        _named(0.5, 0.5, 0.5),
        permutations=100,
    )
    full, untrained = rows
    assert (full.variant, full.metric, full.seeds, full.active_dims_doc) == ("full", 0.5, [1, 2], 101.5)
    assert full.spread == 0 and full.difference == 0 and full.p_corrected is None and full.seconds == 15
    assert full.fused == 0.25 and full.p_bm25 == 1
    assert untrained.difference == 0 and untrained.p_corrected == 1, "the same means on every query"


def test_a_variant_that_loses_everywhere_is_significantly_worse():
    losing = [_result("full", 1, *[0.9] * 40), _result("no_synthetic", 1, *[0.4] * 40)]
    full, row = summarise(losing, _named(*[0.4] * 40), permutations=1000)
    assert row.difference == pytest.approx(-0.5) and row.p_corrected < 0.01
    assert full.p_bm25 < 0.01 and row.p_bm25 == 1


def test_the_spread_is_that_of_the_seeds_means():
    (row,) = summarise([_result("full", 1, 0.2, 0.4), _result("full", 2, 0.6, 0.8)], _named(0, 0), permutations=100)
    assert row.spread == pytest.approx(0.2)


def test_two_trainings_of_one_variant_are_not_called_different_more_often_than_stated():
    random = np.random.default_rng(13)
    queries = random.random(400)
    results = []
    for number, variant in enumerate([*list(VARIANTS)[:20]] * 3):
        values = queries + random.normal(0, 0.004) + random.normal(0, 0.02, len(queries))  # a seed moves every query
        results.append(_result(variant, number, *values))
    assert seed_spread(results) == pytest.approx(0.004, rel=0.25)
    pairs, different = same_recipe_pairs(results)
    assert pairs == 60 and different <= 6, "the upper end of 5 % of 60"
    alone = [
        paired(_means(first), _means(second), permutations=500).p for first, second in combinations(results[::20], 2)
    ]
    assert min(alone) < 0.05, "queries alone call two of three trainings different"


def test_a_small_difference_of_one_training_each_is_told_from_seeds_by_more_seeds():
    values = np.full(400, 0.6)
    values[::2] += 0.02
    one = [_result("full", 1, *values), _result("no_synthetic", 1, *(values + 0.004 + 0.01 * (values > 0.61)))]
    assert summarise(one, _named(*values), permutations=500)[1].p_corrected < 0.05
    spread = [_result("full", seed, *(values + shift)) for seed, shift in ((2, 0.01), (3, -0.01))]
    assert summarise([*one, *spread], _named(*values), permutations=500)[1].p_corrected > 0.1


@pytest.mark.parametrize(
    ("variant", "origins"),
    [(REFERENCE, {"pseudo", "augmented"}), ("no_synthetic", {"pseudo"}), ("synthetic_only", {"augmented"})],
)
def test_what_a_variant_learns_from(variant, origins):
    rows = [
        TrainingQuery(id=origin, text="셀", origin=origin, passage_id="p#0", split="train")
        for origin in ("pseudo", "augmented")
    ]
    assert {row.origin for row in rows if VARIANTS[variant].learns_from(row)} == origins
