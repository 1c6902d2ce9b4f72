import math

import numpy as np
import pytest

from kosparse.evaluation.metrics import METRICS, evaluate_run, mean


def test_values_worked_by_hand():
    qrels = {"q": {"a": 1, "b": 1}}
    values = evaluate_run(qrels, {"q": [("x", 3.0), ("a", 2.0), ("y", 1.5), ("b", 1.0)]})
    # a at rank 2, b at rank 4; ideal is ranks 1 and 2
    assert values["ndcg@10"]["q"] == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3)))
    assert values["mrr@10"]["q"] == pytest.approx(1 / 2)
    assert values["map"]["q"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert values["recall@100"]["q"] == 1.0


def test_a_query_without_results_counts_as_zero():
    values = evaluate_run({"q1": {"a": 1}, "q2": {"a": 1}, "q3": {"a": 1}}, {"q1": [("a", 1.0)], "q2": []})
    assert values["ndcg@10"] == {"q1": 1.0, "q2": 0.0, "q3": 0.0}
    assert mean(values["mrr@10"]) == pytest.approx(1 / 3)


def test_queries_without_judgements_are_left_out():
    values = evaluate_run({"q1": {"a": 1}}, {"q1": [("a", 1.0)], "unjudged": [("a", 1.0)]})
    assert all(list(values[metric]) == ["q1"] for metric in METRICS)


def test_ties_go_to_the_higher_document_id_as_in_trec_eval():
    values = evaluate_run({"q": {"a": 1}}, {"q": [("a", 1.0), ("b", 1.0)]})
    assert values["mrr@10"]["q"] == 0.5


def test_metrics_equal_an_independent_implementation_on_random_rankings_with_ties():
    random = np.random.default_rng(3)
    qrels, run = {}, {}
    for number in range(40):
        documents = [f"d{n}" for n in range(150)]
        judged = random.choice(documents, 8, replace=False)
        qrels[f"q{number}"] = {str(name): int(random.integers(0, 3)) for name in judged} | {"never found": 1}
        found = random.choice(documents, int(random.integers(0, 130)), replace=False)
        run[f"q{number}"] = [(str(name), float(random.integers(0, 9))) for name in found]
    values = evaluate_run(qrels, run)
    for query, grades in qrels.items():
        order = [name for name, _ in sorted(run[query], key=lambda item: (item[1], item[0]), reverse=True)]
        expected = _by_definition(grades, order)
        assert {metric: values[metric][query] for metric in METRICS} == pytest.approx(expected)


def _by_definition(grades, order):
    relevant = {name for name, grade in grades.items() if grade > 0}
    gains = [grades.get(name, 0) / math.log2(rank + 1) for rank, name in enumerate(order[:10], 1)]
    ideal = [grade / math.log2(rank + 1) for rank, grade in enumerate(sorted(grades.values(), reverse=True)[:10], 1)]
    hits = [rank for rank, name in enumerate(order, 1) if name in relevant]
    return {
        "ndcg@10": sum(gains) / sum(ideal),
        "mrr@10": 1 / hits[0] if hits and hits[0] <= 10 else 0.0,
        "recall@100": sum(rank <= 100 for rank in hits) / len(relevant),
        "map": sum(count / rank for count, rank in enumerate(hits, 1)) / len(relevant),
    }
