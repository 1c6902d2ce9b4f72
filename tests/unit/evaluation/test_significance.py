import itertools

import numpy as np
import pytest

from kosparse.evaluation.significance import bootstrap_interval, holm, randomisation_test, wilson


def test_the_randomisation_test_approaches_the_exact_p_of_all_sign_flips():
    first, second = np.array([0.9, 0.8, 0.5, 0.7, 0.6]), np.array([0.5, 0.7, 0.6, 0.2, 0.4])
    differences = first - second
    flips = [abs(np.dot(signs, differences)) for signs in itertools.product([-1, 1], repeat=5)]
    exact = np.mean(np.array(flips) >= abs(differences.sum()) - 1e-9)
    assert randomisation_test(first, second, permutations=20000) == pytest.approx(exact, abs=0.01)


def test_equal_systems_are_not_told_apart_and_a_clear_gain_is():
    values = np.random.default_rng(0).random(200)
    assert randomisation_test(values, values.copy()) == 1.0
    assert randomisation_test(values + 0.1, values, permutations=999) == pytest.approx(1 / 1000)


def test_two_systems_of_one_quality_are_called_different_at_the_stated_rate():
    random = np.random.default_rng(1)
    trials = [
        randomisation_test(random.random(40), random.random(40), permutations=300, seed=n) < 0.05 for n in range(200)
    ]
    # Binomial(200, 0.05): 10 expected, more than 20 happens less than once in 700.
    assert sum(trials) <= 20


def test_unpaired_values_are_refused():
    with pytest.raises(ValueError, match="3 and 2"):
        randomisation_test(np.zeros(3), np.zeros(2))


def test_the_bootstrap_interval_is_close_to_the_normal_one_for_many_queries():
    values = np.random.default_rng(2).random(400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.005)


def test_the_interval_is_the_same_for_the_same_seed_and_nothing_for_no_queries():
    values = np.array([0.0, 1.0, 0.5])
    assert bootstrap_interval(values, seed=5) == bootstrap_interval(values, seed=5)
    assert bootstrap_interval(np.array([])) == (0.0, 0.0)


def test_holm_multiplies_the_smallest_by_all_and_never_decreases():
    # sorted: .01*3=.03, .02*2=.04, .5*1=.5
    assert holm([0.5, 0.01, 0.02]) == pytest.approx([0.5, 0.03, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_wilson_interval_of_the_literature():
    low, high = wilson(34, 60)

    assert (round(low, 2), round(high, 2)) == (0.44, 0.68)
    assert wilson(0, 0) == (0.0, 1.0)
