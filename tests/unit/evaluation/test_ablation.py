import pytest

from kosparse.evaluation.ablation import REFERENCE, VARIANTS, SeedResult, summarise
from kosparse.records import TrainingQuery


def _named(*values):
    return {f"q{n}": value for n, value in enumerate(values)}


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
