import numpy as np
import pytest
from scipy.sparse import csr_matrix

from kosparse.evaluation.pruning import prune, pruning_curve

WEIGHTS = csr_matrix(np.array([[2.0, 0.9, 0.2, 0.0], [0.1, 0.0, 0.0, 0.09], [0.0, 0.0, 0.0, 0.0]], dtype=np.float32))


def test_a_ratio_looks_at_each_passages_own_largest():
    assert prune(WEIGHTS, 0.1).toarray() == pytest.approx(
        np.array([[2.0, 0.9, 0.2, 0.0], [0.1, 0.0, 0.0, 0.09], [0.0, 0.0, 0.0, 0.0]])
    )
    assert prune(WEIGHTS, 0.3).nnz == 4 and prune(WEIGHTS, 0.95).nnz == 2


def test_pruning_leaves_the_index_as_it_was():
    before = WEIGHTS.copy()
    prune(WEIGHTS, 0.5)
    assert (WEIGHTS != before).nnz == 0 and WEIGHTS.nnz == before.nnz


def test_nothing_to_prune():
    assert prune(csr_matrix((2, 3), dtype=np.float32), 0.5).nnz == 0


def test_the_curve_starts_unpruned_and_loses_dimensions():
    points = pruning_curve(WEIGHTS, lambda kept: float(kept.sum()), (0.0, 0.3, 1.0))
    assert [point.ratio for point in points] == [0.0, 0.3, 1.0]
    assert points[0].metric == pytest.approx(float(WEIGHTS.sum()), abs=1e-5)
    assert [point.active_dims_doc for point in points] == [1.67, 1.33, 0.67]
