import random

import pytest

from kosparse.evaluation.bm25 import Bm25
from kosparse.synthetic.round_trip import TermCounts


def ranks(queries, own, *blocks):
    with TermCounts(queries) as counts:
        for block in blocks:
            counts.add(block)
        return counts.ranks(queries, own)


def test_ranks_are_those_of_an_index_over_all_passages():
    rng = random.Random(3)
    passages = [rng.choices("abcdefghijklmnop", k=rng.randint(1, 30)) for _ in range(200)]
    own = [rng.randrange(200) for _ in range(300)]
    queries = [rng.sample(passages[place], min(3, len(passages[place]))) + ["nowhere"] for place in own]
    index = Bm25([str(place) for place in range(200)], passages)
    expected = []
    for query, place in zip(queries, own, strict=True):
        scores = dict(index.search(query, 200))
        score = scores[str(place)]
        expected.append(1 + sum(other > score * 1.000001 for other in scores.values()))
    assert ranks(queries, own, passages[:70], passages[70:71], [], passages[71:]) == expected


def test_of_passages_that_read_the_same_each_has_the_best_place():
    assert ranks([["a"], ["a"]], [0, 2], [["a", "b"], ["c"]], [["a", "b"]]) == [1, 1]


def test_a_passage_without_any_term_of_the_query_has_no_place():
    assert ranks([["a"], []], [1, 0], [["a"], ["b"]]) == [None, None]


@pytest.mark.parametrize("blocks", [[], [[[], []]]])
def test_nothing_is_found_in_nothing(blocks):
    assert ranks([], [], *blocks) == []
