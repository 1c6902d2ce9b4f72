import numpy as np
import pytest

from kosparse.synthetic.statistics import cluster_entropy, describe, distinct_n, percentiles, self_bleu
from tests.unit.synthetic.builders import pair


def test_pairs_are_described_by_kind_length_overlap_and_variety():
    pairs = [
        pair("셀 보호", scores={"overlap": 1.0, "order_share": 1.0, "stretch_share": 0.8}),
        pair("셀 보호는?", query_type="question", scores={"overlap": 0.5}),
        pair("cell 보호", "macro", origin="augmented", query_type="synonym", scores={"overlap": 0.05}),
    ]
    described = describe(pairs, [["셀", "보호"], ["셀", "보호"], ["cell", "보호"]])
    assert (described["pairs"], described["passages"]) == (3, 2)
    assert described["by_origin"] == {"document_to_query": 2, "augmented": 1}
    assert described["by_type"] == {"keyword": 1, "question": 1, "synonym": 1}
    assert described["overlap"] == [1, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    assert described["copies"] == {"copy_share": 0.0, "stretch_share": 0.0, "order_share": 0.3333}
    assert (described["distinct_1"], described["distinct_2"]) == (0.5, 0.6667)


def test_nothing_is_described_without_errors():
    described = describe([], [])
    assert (described["pairs"], described["characters"], described["distinct_2"]) == (0, {}, 0.0)
    assert sum(described["overlap"]) == 0


def test_distinct_n_ignores_lists_that_are_too_short():
    assert distinct_n([["a"], ["a", "b"]], 2) == 1.0
    assert distinct_n([["a"]], 2) == 0.0


def test_percentiles_interpolate():
    assert percentiles([0, 10]) == {"p10": 1.0, "p50": 5.0, "p90": 9.0}


def test_self_bleu_is_high_among_queries_alike_and_zero_among_strangers():
    assert self_bleu([["셀", "보호"]] * 5) == pytest.approx(1.0)
    assert self_bleu([["셀", "보호"], ["표", "병합"], ["차트", "축"]]) == 0.0
    assert self_bleu([["셀"], ["표"]]) == self_bleu([]) == 0.0


def test_entropy_is_full_where_meanings_are_evenly_spread_and_low_where_one_rules():
    corners = np.eye(4, dtype=np.float32)
    assert cluster_entropy(corners.repeat(4, axis=0), clusters=4) == pytest.approx(1.0)
    assert cluster_entropy(corners[[0] * 13 + [1, 2, 3]], clusters=4) < 0.6
    assert cluster_entropy(corners[:1]) == cluster_entropy(corners[:0]) == 0.0
