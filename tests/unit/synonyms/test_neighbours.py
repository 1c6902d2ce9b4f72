import numpy as np
import pytest

from kosparse.synonyms import neighbours


def unit(rows):
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_hubness_is_the_mean_cosine_to_the_nearest_k():
    left, right = unit([[1, 0]]), unit([[1, 0], [0, 1], [1, 1]])

    assert neighbours.hubness(left, right, k=2) == pytest.approx([(1 + 0.70711) / 2], abs=1e-4)


def test_csls_passes_over_a_hub():
    """By cosine both left rows are nearest to the first right row; under CSLS each finds its own."""
    left = unit([[1, 0.1, 0], [1, 0, 0.1]])
    right = unit([[1, 0.05, 0.05], [0.6, 0.8, 0]])
    index = neighbours.nearest(left, right, np.array([0.9, 0.9]), np.array([0.99, 0.1])).index

    assert (left @ right.T).argmax(axis=1).tolist() == [0, 0]
    assert index.tolist() == [1, 1]


def test_a_pair_is_ahead_of_its_best_rival_or_behind_it():
    none = np.zeros(2, np.float32)
    found = neighbours.nearest(unit([[1, 0]]), unit([[1, 0], [0.6, 0.8]]), none[:1], none)

    ahead = found.ahead([0, 0], [0, 1], np.array([2.0, 1.2], np.float32))

    assert ahead == pytest.approx([2.0 - 1.2, 1.2 - 2.0], abs=1e-6)


def test_mutual_neighbours_agree_in_both_directions():
    vectors = unit(np.eye(3))

    found = neighbours.mutual_neighbours(vectors, vectors[[2, 0, 1]])

    assert sorted((i, j) for i, j, _, _ in found) == [(0, 1), (1, 2), (2, 0)]


def test_blocks_do_not_change_the_result(monkeypatch):
    random = np.random.default_rng(1)
    left, right = unit(random.normal(size=(13, 4))), unit(random.normal(size=(7, 4)))
    whole = neighbours.mutual_neighbours(left, right)
    monkeypatch.setattr(neighbours, "_BLOCK_CELLS", 21)

    blocked = neighbours.mutual_neighbours(left, right)

    assert [pair[:2] for pair in blocked] == [pair[:2] for pair in whole]
    assert [pair[2] for pair in blocked] == pytest.approx([pair[2] for pair in whole], abs=1e-5)


def test_nothing_on_one_side_gives_nothing():
    assert neighbours.mutual_neighbours(unit([[1, 0]]), np.zeros((0, 2), np.float32)) == []
    assert neighbours.mine_neighbours([], [("cell", 3)], embedder=None) == []


def test_frequent_terms_are_counted_by_text_and_codes_left_out():
    texts = ["매크로 V26 macro. 셀", "매크로 macro macro", "매크로 V26"]

    assert neighbours.frequent_korean(texts, most=1, min_count=2) == [("매크로", 3)]
    assert neighbours.frequent_english(texts, most=5, min_count=2)[0] == ("macro", 2)


def test_centring_takes_away_what_all_terms_of_a_language_share():
    moved = neighbours.centred(unit([[1, 1], [1, -1]]))

    assert moved == pytest.approx(np.array([[0, 1], [0, -1]]), abs=1e-6)
    assert neighbours.centred(unit([[1, 1]])) == pytest.approx(unit([[1, 1]]))


def test_terms_of_a_large_collection_are_counted_in_texts_drawn_evenly(monkeypatch):
    monkeypatch.setattr(neighbours, "_COUNTED_CHARACTERS", 9)

    assert neighbours.frequent_english(["cell"] * 6, 5, min_count=1) == [("cell", 2)]  # 24 characters: every third


def test_of_equally_frequent_terms_the_first_by_the_alphabet_are_taken():
    assert neighbours.frequent_english(["pear apple fig"] * 3, most=3) == [("apple", 3), ("apple fig", 3), ("fig", 3)]
