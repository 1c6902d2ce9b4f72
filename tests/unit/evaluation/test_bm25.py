import math

import pytest

from kosparse.evaluation.bm25 import Bm25


def test_scores_are_lucenes_formula_worked_by_hand():
    # N=3, average length (2+3+1)/3 = 2, k1=1.2, b=0.75
    index = Bm25(["d1", "d2", "d3"], [["a", "b"], ["b", "c", "c"], ["d"]])
    # b: df=2, idf = ln(1 + 1.5/2.5) = ln 1.6 ; d1: |d|=2, norm = 1.2, tf/(tf+norm) = 1/2.2
    # d2: |d|=3, norm = 1.2*(0.25+0.75*1.5) = 1.65, 1/2.65
    assert index.scores(["b"]) == pytest.approx([math.log(1.6) / 2.2, math.log(1.6) / 2.65, 0.0], rel=1e-6)
    # c: df=1, idf = ln(1 + 2.5/1.5), tf=2: 2/3.65
    assert index.scores(["c"])[1] == pytest.approx(math.log(1 + 2.5 / 1.5) * 2 / 3.65, rel=1e-6)


def test_a_repeated_query_token_counts_each_time():
    index = Bm25(["d1", "d2"], [["a", "b"], ["c"]])
    assert index.scores(["a", "a"])[0] == pytest.approx(2 * index.scores(["a"])[0])


def test_a_token_that_leads_counts_for_more():
    index = Bm25(["early", "late"], [["a", "b", "c"], ["b", "c", "a"]], lead=2.0)
    # Both texts are as long as each other, so only the frequency differs: in proportion to 1 + 2 exp(-place / 20).
    early, middle, late = (1 + 2 * math.exp(-place / 20) for place in range(3))
    share = 3 / (early + middle + late)
    expected = [math.log(1.2) * times / (times + 1.2) for times in (share * early, share * late)]
    assert index.scores(["a"]) == pytest.approx(expected, rel=1e-6)


def test_search_returns_only_texts_that_share_a_token_best_first():
    index = Bm25(["x", "y", "z"], [["a", "b"], ["a", "a"], ["c"]])
    assert [name for name, _ in index.search(["a"], 10)] == ["y", "x"]
    assert index.search(["a"], 1)[0][0] == "y"


@pytest.mark.parametrize("query", [[], ["unknown"]])
def test_a_query_without_known_tokens_finds_nothing(query):
    assert Bm25(["x", "y"], [["a"], []]).search(query, 5) == []


@pytest.mark.parametrize("texts", [[], [[], []]])
def test_an_index_of_nothing_answers_with_nothing(texts):
    index = Bm25([str(n) for n in range(len(texts))], texts)
    assert index.search(["a"], 5) == []
    assert index.scores(["a"]).shape == (len(texts),)


def test_ids_and_texts_must_be_as_many():
    with pytest.raises(ValueError, match="1 ids but 2"):
        Bm25(["x"], [["a"], ["b"]])
