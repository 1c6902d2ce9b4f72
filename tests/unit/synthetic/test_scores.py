import random

import pytest

from kosparse.synthetic.scores import Scored, copy_share, numbers, order_shares, overlap
from tests.unit.synthetic.builders import pair


def test_overlap_counts_distinct_tokens():
    assert overlap(["셀", "셀", "잠금"], ["셀", "시트"]) == 0.5
    assert overlap([], ["셀"]) == overlap(["셀"], []) == 0.0


@pytest.mark.parametrize(
    ("query", "passage", "share"),
    [
        ("a b c", "x a b c y", 1.0),
        ("a b c d", "a b x c d", 0.5),
        ("a b", "b a", 0.5),
        ("a b", "ab", 0.0),
        ("", "a", 0.0),
        ("a", "", 0.0),
    ],
)
def test_copy_share_is_the_longest_unbroken_run(query, passage, share):
    assert copy_share(query.split(), passage.split()) == share


@pytest.mark.parametrize(
    ("query", "passage", "stretch", "anywhere"),
    [
        ("a b c", "x a b c y", 1.0, 1.0),
        ("a b c d", "a x b x c x d", 1.0, 1.0),  # seven of at most eight
        ("a b", "a x x x b", 0.5, 1.0),  # five of at most four
        ("a b c", "c b a", 1 / 3, 1 / 3),
        ("a b a", "a a b", 2 / 3, 2 / 3),
        ("a a", "a", 0.5, 0.5),
        ("", "a", 0.0, 0.0),
        ("a", "", 0.0, 0.0),
    ],
)
def test_order_shares_allow_for_gaps_near_by_and_anywhere(query, passage, stretch, anywhere):
    assert order_shares(query.split(), passage.split()) == (stretch, anywhere)


def test_order_shares_agree_with_the_textbook():
    def longest(one, other):
        lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
        for row, first in enumerate(one):
            for column, second in enumerate(other):
                skipped = max(lengths[row][column + 1], lengths[row + 1][column])
                lengths[row + 1][column + 1] = lengths[row][column] + 1 if first == second else skipped
        return lengths[-1][-1]

    rng = random.Random(5)
    for _ in range(200):
        query, passage = rng.choices("abcdef", k=rng.randint(1, 6)), rng.choices("abcdefgh", k=30)
        windows = [passage[begin : begin + 2 * len(query)] for begin in range(len(passage))]
        expected = (max(longest(query, window) for window in windows), longest(query, passage))
        assert order_shares(query, passage) == tuple(length / len(query) for length in expected)


def test_numbers_are_compared_whatever_their_order():
    assert numbers("3행 12열") == numbers("12열 3행") == ("12", "3")
    assert numbers("10행") != numbers("20행")
    assert numbers("버전 7.4") == ("7.4",)


def test_scores_join_those_the_pair_already_has():
    scored = Scored(pair("셀 보호", scores={"kept": 1.0}), ["셀"], {"overlap": 1 / 3})
    assert scored.row().scores == {"kept": 1.0, "overlap": 0.3333}
