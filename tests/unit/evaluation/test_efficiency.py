import numpy as np
import pytest
from scipy.sparse import csr_matrix

from kosparse.evaluation.efficiency import sparse_efficiency


def test_active_dimensions_and_flops_worked_by_hand():
    queries = csr_matrix(np.array([[1.0, 0, 0], [1.0, 2.0, 0]]))
    passages = csr_matrix(np.array([[0.5, 0, 0.5], [0, 3.0, 0], [0.5, 0, 0], [0, 0, 0]]))
    cost = sparse_efficiency(queries, passages)
    assert cost.active_dims_query == 1.5 and cost.active_dims_doc == 1.0
    # P(term in query) = 1, 1/2, 0; P(term in passage) = 2/4, 1/4, 1/4
    assert cost.flops == pytest.approx(1 * 0.5 + 0.5 * 0.25)
    assert cost.index_bytes == 4 * 8 and cost.max_weight == 3.0


def test_a_model_that_says_nothing_costs_nothing():
    empty = csr_matrix((2, 5), dtype=np.float32)
    cost = sparse_efficiency(empty, empty)
    assert (cost.active_dims_doc, cost.flops, cost.index_bytes, cost.max_weight) == (0, 0, 0, 0)
