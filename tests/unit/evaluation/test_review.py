import pytest

from kosparse.config.promotion import PromotionPolicy
from kosparse.errors import ConfigError
from kosparse.evaluation.contamination import Contamination
from kosparse.evaluation.efficiency import Efficiency
from kosparse.evaluation.results import Comparison, QueryResult, Results, SystemResult
from kosparse.evaluation.review import Measured, gates, review


def measured(version, values, *, judgements="real", bm25_gain=0.05, dims=150.0, shared=0, relevant=None):
    """A version whose sparse model reads ``values``, query by query."""
    metrics = {"ndcg@10": sum(values) / len(values)}
    comparison = Comparison(
        system="sparse",
        baseline="bm25_kiwi",
        metric="ndcg@10",
        difference=bm25_gain,
        interval=(bm25_gain - 0.01, bm25_gain + 0.01),
        p=0.001,
        p_corrected=0.001,
        better=9,
        worse=1,
    )
    found = Results(
        judgements=judgements,
        split="test",
        queries=len(values),
        qrels=len(values),
        documents=10,
        passages=10,
        left_out={},
        depth=100,
        fusion_weight=0.5,
        systems={
            "sparse": SystemResult(
                metrics=metrics, intervals={}, empty_rankings=0, efficiency=Efficiency(active_dims_doc=dims)
            )
        },
        comparisons=[comparison],
        slices=[],
        pruning=[],
        contamination=Contamination(
            training_queries=1,
            training_queries_shared=0,
            evaluated_queries_shared=shared,
            examples=[],
            primary_without_shared={},
        ),
        model_sha256=version,
        seconds=1.0,
    )
    rows = [
        QueryResult(
            query_id=f"q{n}",
            query=f"질의 {n}",
            relevant=relevant or {"d": 1},
            systems={"sparse": dict.fromkeys(("ndcg@10", "mrr@10", "recall@100", "map"), value)},
            first={},
        )
        for n, value in enumerate(values)
    ]
    return Measured(version, found, {row.query_id: row for row in rows})


def failed(found, **policy):
    return {gate.name for gate in gates(found, PromotionPolicy(**policy)) if not gate.passed}


def test_queries_won_and_lost_are_the_widest_apart():
    found = review(measured("2", [0.9, 0.1, 0.5, 0.6]), measured("1", [0.1, 0.9, 0.5, 0.5]), changes=1)
    assert found.shared == 4 and found.same_queries
    assert found.means["ndcg@10"] == (pytest.approx(0.5), pytest.approx(0.525))
    assert [row.query for row in found.won] == ["질의 0"] and [row.query for row in found.lost] == ["질의 1"]
    assert (found.difference.better, found.difference.worse) == (2, 1)


def test_a_planted_regression_is_stopped_and_noise_is_not():
    champion = measured("1", [0.6, 0.7, 0.5, 0.8] * 25)
    shuffled = measured("2", [0.1, 0.2, 0.0, 0.3] * 25)
    assert failed(review(shuffled, champion)) == {"not_worse_than_champion"}
    same = measured("3", [0.7, 0.6, 0.8, 0.5] * 25)
    assert failed(review(same, champion)) == set()


def test_the_first_of_all_has_nothing_to_beat_but_bm25():
    assert failed(review(measured("1", [0.5] * 60), None)) == set()
    assert failed(review(measured("1", [0.5] * 60, bm25_gain=-0.1), None)) == {"beats_bm25"}


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({"judgements": "held-out synthetic"}, "real_judgements"),
        ({"dims": 900.0}, "max_active_dims_doc"),
        ({"shared": 3}, "max_contaminated_queries"),
    ],
)
def test_each_gate_closes(changes, gate):
    assert failed(review(measured("1", [0.5] * 60, **changes), None)) == {gate}
    off = {"real_judgements": {"real_judgements": False}, "max_active_dims_doc": {"max_active_dims_doc": 1000}}
    if gate in off:
        assert failed(review(measured("1", [0.5] * 60, **changes), None), **off[gate]) == set()


def test_few_queries_decide_nothing():
    assert failed(review(measured("1", [0.5] * 10), None)) == {"min_queries"}


def test_other_judgements_are_other_queries():
    found = review(measured("2", [0.5] * 60, relevant={"e": 1}), measured("1", [0.5] * 60))
    assert found.shared == 0 and found.difference is None
    assert failed(found) == {"same_queries", "not_worse_than_champion"}


@pytest.mark.parametrize("text", ["gate: 1", "- a", "min_queries: many", "{", "significance: 2"])
def test_what_is_no_policy_is_refused(tmp_path, text):
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ConfigError, match="not a promotion policy"):
        PromotionPolicy.read(tmp_path / "p.yaml")


def test_a_policy_changes_only_what_it_names(tmp_path):
    (tmp_path / "p.yaml").write_text("min_queries: 10\n")
    assert PromotionPolicy.read(tmp_path / "p.yaml") == PromotionPolicy(min_queries=10)
