import numpy as np
import pytest
from scipy.sparse import csr_matrix

from kosparse.evaluation.examples import Weights, choose, top_terms
from kosparse.evaluation.judgements import Judgements

TERMS = ["셀", "보호", "암호"]


@pytest.fixture
def weights():
    return Weights(
        queries=csr_matrix(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])),
        passages=csr_matrix(np.array([[0.2, 0.0, 0.9], [0.5, 0.5, 0.0], [0.0, 0.0, 0.1]])),
        terms=TERMS,
        document_ids=["a", "a", "b"],
        texts=["셀", "셀 보호", "표"],
    )


@pytest.fixture
def chosen(weights):
    judgements = Judgements({"q1": "셀 보호", "q2": "암호"}, {"q1": {"a": 1}, "q2": {"b": 1}}, "real", "test", {})
    runs = {"sparse": {"q1": [("a", 1.0)], "q2": [("a", 0.9), ("b", 0.1)]}, "bm25_kiwi": {"q1": [], "q2": [("b", 1.0)]}}
    values = {
        "sparse": {"ndcg@10": {"q1": 1.0, "q2": 0.63}},
        "bm25_kiwi": {"ndcg@10": {"q1": 0.0, "q2": 1.0}},
    }
    return choose(weights, judgements, values, runs, 2)


def test_wins_and_losses_are_the_queries_that_changed(chosen):
    assert [row["query"] for row in chosen["wins"]] == ["셀 보호"]
    assert [row["query"] for row in chosen["losses"]] == ["암호"]
    assert chosen["wins"][0]["ranks"] == {"sparse": 1, "bm25_kiwi": None}


def test_a_score_is_explained_by_the_terms_of_the_best_passage(chosen):
    found = chosen["wins"][0]["relevant"][0]
    assert found["score"] == 1.0 and found["text"] == "셀 보호"
    assert [(term["term"], term["weight"]) for term in found["terms"]] == [("셀", 0.5), ("보호", 0.5)]


def test_a_lost_query_shows_what_was_put_first_instead(chosen):
    assert chosen["losses"][0]["first"]["document_id"] == "a"
    assert chosen["losses"][0]["first"]["terms"][0]["term"] == "암호"


def test_terms_that_do_not_stand_in_the_text_are_told_apart(weights):
    terms = top_terms(weights.passages[0], TERMS, "셀")
    assert [(term["term"], term["in_text"]) for term in terms] == [("암호", False), ("셀", True)]


def test_no_examples_when_none_are_wanted(weights):
    judgements = Judgements({"q1": "셀"}, {"q1": {"a": 1}}, "real", "test", {})
    values = {name: {"ndcg@10": {"q1": 0.0}} for name in ("sparse", "bm25_kiwi")}
    nothing = choose(weights, judgements, values, {"sparse": {}, "bm25_kiwi": {}}, 0)
    assert not any(nothing.values())
