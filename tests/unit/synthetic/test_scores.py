import pytest

from kosparse.synthetic.scores import Scored, copy_share, numbers, overlap
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


def test_numbers_are_compared_whatever_their_order():
    assert numbers("3행 12열") == numbers("12열 3행") == ("12", "3")
    assert numbers("10행") != numbers("20행")
    assert numbers("버전 7.4") == ("7.4",)


def test_scores_join_those_the_pair_already_has():
    scored = Scored(pair("셀 보호", scores={"kept": 1.0}), ["셀"], {"overlap": 1 / 3})
    assert scored.row().scores == {"kept": 1.0, "overlap": 0.3333}
