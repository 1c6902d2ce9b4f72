import pytest

from kosparse.evaluation.contamination import Contamination
from kosparse.evaluation.efficiency import Efficiency
from kosparse.evaluation.results import AgainstChampion, Comparison, Results, SystemResult
from kosparse.evaluation.significance import Paired
from kosparse.evaluation.verdict import judge


def _comparison(system, difference, p):
    return Comparison(
        system=system,
        baseline="bm25_kiwi",
        metric="ndcg@10",
        difference=difference,
        interval=(difference - 0.01, difference + 0.01),
        p=p,
        p_corrected=p,
        better=10,
        worse=5,
    )


def _results(sparse, fusion, **changes):
    row = SystemResult(metrics={}, intervals={}, empty_rankings=0, efficiency=Efficiency())
    clean = Contamination(
        training_queries=9,
        training_queries_shared=0,
        evaluated_queries_shared=0,
        examples=[],
        primary_without_shared={},
    )
    values = {
        "judgements": "real",
        "split": "test",
        "queries": 500,
        "qrels": 500,
        "documents": 100,
        "passages": 100,
        "left_out": {},
        "depth": 100,
        "fusion_weight": 0.5,
        "systems": {"sparse": row},
        "comparisons": [_comparison("sparse", *sparse), _comparison("fusion", *fusion)],
        "slices": [],
        "pruning": [],
        "contamination": clean,
        "model_sha256": "",
        "seconds": 1.0,
    }
    return Results(**{**values, **changes})


@pytest.mark.parametrize(
    ("sparse", "fusion", "level"),
    [
        ((0.03, 0.001), (0.05, 0.001), "good"),
        ((-0.03, 0.001), (0.05, 0.001), "good"),
        ((0.03, 0.2), (0.01, 0.06), "unclear"),
        ((-0.03, 0.001), (0.0, 1.0), "unclear"),
        ((-0.03, 0.001), (-0.01, 0.01), "bad"),
    ],
)
def test_the_verdict_needs_a_gain_that_chance_cannot_explain(sparse, fusion, level):
    assert judge(_results(sparse, fusion)).level == level


@pytest.mark.parametrize(
    ("changes", "caution"),
    [
        ({"judgements": "held-out synthetic"}, "held-out synthetic"),
        ({"queries": 20}, "Only 20 queries"),
        ({"left_out": {"unknown document": 3}}, "3 judgements could not be used"),
        (
            {
                "contamination": Contamination(
                    training_queries=9,
                    training_queries_shared=2,
                    evaluated_queries_shared=2,
                    examples=[],
                    primary_without_shared={},
                )
            },
            "2 evaluated queries were also trained on",
        ),
    ],
)
def test_a_flaw_of_the_measurement_keeps_a_gain_from_being_called_good(changes, caution):
    verdict = judge(_results((0.03, 0.001), (0.05, 0.001), **changes))
    assert verdict.level == "unclear"
    assert any(caution in line.en for line in verdict.cautions)


def test_a_model_worse_than_the_champion_is_never_good():
    lost = Paired(difference=-0.03, interval=(-0.04, -0.02), p=0.001, better=1, worse=9)
    against = AgainstChampion(version="4", queries=500, means={}, difference=lost)
    found = _results((0.05, 0.001), (0.05, 0.001), champion=against)
    said = judge(found)
    assert said.level == "unclear" and said.cautions[0].en == "Worse than the champion"
    assert "version 4" in said.reasons[-1].en and "-0.030" in said.reasons[-1].en


def test_the_headline_names_who_won():
    assert "fusion" in judge(_results((-0.03, 0.001), (0.05, 0.001))).headline.en
    assert "sparse model and its fusion" in judge(_results((0.03, 0.001), (0.05, 0.001))).headline.en


def test_both_reasons_give_difference_interval_and_p():
    reasons = judge(_results((0.03, 0.0001), (0.05, 0.001))).reasons
    assert "ndcg@10 +0.030 [+0.020, +0.040], p < 0.001" in reasons[0].en
