import pytest

from kosparse.evaluation.fusion import fuse


def test_z_scores_are_added_with_the_weight():
    # z of (3, 1) is (1, -1) whatever the scale
    first = {"q": [("a", 3.0), ("b", 1.0)]}
    second = {"q": [("b", 300.0), ("a", 100.0)]}
    assert fuse(first, second, weight=0.75, depth=10) == {"q": [("a", 0.5), ("b", -0.5)]}


def test_a_document_one_system_missed_gets_that_systems_lowest_z():
    first = {"q": [("a", 3.0), ("b", 1.0)]}
    second = {"q": [("c", 5.0), ("a", 3.0)]}
    # z: a 1, b -1 | c 1, a -1.  a: 0, b: -0.5 - 0.5, c: -0.5 + 0.5
    assert fuse(first, second, weight=0.5, depth=10)["q"] == [("a", 0.0), ("c", 0.0), ("b", -1.0)]


def test_a_system_without_results_leaves_the_others_order():
    first = {"q": [("a", 3.0), ("b", 1.0)], "only first": [("x", 1.0)]}
    fused = fuse(first, {"q": []}, weight=0.5, depth=10)
    assert [name for name, _ in fused["q"]] == ["a", "b"]
    assert fused["only first"] == [("x", 0.0)]


def test_equal_scores_say_nothing():
    assert fuse({"q": [("a", 2.0), ("b", 2.0)]}, {"q": [("b", 9.0), ("a", 1.0)]}, weight=0.5, depth=1) == {
        "q": [("b", pytest.approx(0.5))]
    }
