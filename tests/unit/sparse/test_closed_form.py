import numpy as np
import pytest

from kosparse.sparse.closed_form import DenseTeacher, fitted_rows

RANDOM = np.random.default_rng(5)
HIDDEN, UNITS, QUERIES, PASSAGES = 8, 30, 4000, 60


@pytest.fixture
def world():
    """Units with true vectors; the teacher says the mean of a query's units, in a space turned and stretched."""
    true = RANDOM.normal(size=(UNITS, HIDDEN)).astype(np.float32)
    units = [np.unique(RANDOM.integers(0, UNITS, 3)) for _ in range(QUERIES)]
    weights = RANDOM.uniform(0.5, 3, UNITS).astype(np.float32)
    means = np.stack([np.average(true[found], axis=0, weights=weights[found]) for found in units])
    centers = RANDOM.normal(size=(PASSAGES, HIDDEN)).astype(np.float32)
    turn = np.linalg.qr(RANDOM.normal(size=(HIDDEN + 3, HIDDEN)))[0].T * 7
    # Products in the teacher's space are 49 times those in ours.
    return true, units, weights, centers, DenseTeacher(means @ turn, centers @ turn)


def _scores(rows, units, weights, centers):
    return np.stack([np.average(rows[found], axis=0, weights=weights[found]) for found in units]) @ centers.T


def test_the_sum_over_units_says_what_the_teacher_says(world):
    true, units, weights, centers, teacher = world
    start = true + RANDOM.normal(size=true.shape).astype(np.float32)
    rows, explained = fitted_rows(start, units, weights, centers, teacher)
    # Queries count by how they differ from one another.
    wanted = ((teacher.queries - teacher.queries.mean(0)) @ teacher.passages.T).ravel()

    def fit(given):
        scores = _scores(given, units, weights, centers)
        return np.corrcoef((scores - scores.mean(0)).ravel(), wanted)[0, 1]

    assert fit(rows) > 0.99 > 0.9 > fit(start)
    assert explained > 0.97


def test_a_unit_nobody_asks_for_keeps_its_direction(world):
    true, units, weights, centers, teacher = world
    units = [found[found != 4] for found in units]
    rows, _ = fitted_rows(true, units, weights, centers, teacher)
    cosine = rows[4] @ true[4] / np.linalg.norm(rows[4]) / np.linalg.norm(true[4])
    assert cosine == pytest.approx(1.0, abs=1e-5)


def test_it_solves_the_normal_equations(world):
    from kosparse.sparse import closed_form

    true, units, weights, _, _ = world
    mean = closed_form._mean_of_units(units, weights, UNITS)
    wanted = RANDOM.normal(size=(QUERIES, HIDDEN))
    dense = mean.toarray()
    expected = np.linalg.solve(dense.T @ dense + closed_form._RIDGE * np.eye(UNITS), dense.T @ wanted)
    assert closed_form._ridge_solution(mean, wanted) == pytest.approx(expected, abs=1e-3)


def test_nothing_asked_leaves_the_rows_alone(world):
    true, _, weights, centers, teacher = world
    none = [np.zeros(0, dtype=np.int64)] * QUERIES
    rows, explained = fitted_rows(true, none, weights, centers, teacher)
    assert rows is true and explained == 0.0
