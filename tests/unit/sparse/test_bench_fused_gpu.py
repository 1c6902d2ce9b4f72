"""The benchmark for GPUs compares like with like, and says where it cannot run."""

import pytest
import torch

from benchmarks import bench_fused_gpu as bench


@pytest.mark.parametrize("way", ["sentence-transformers", "fused"])
def test_the_ways_that_are_compared_give_the_same_weights_and_gradients(way):
    torch.manual_seed(3)
    mask = (torch.arange(12) < torch.tensor([[12], [7], [1]])).long()
    found = []
    for name in ("plain", way):
        states, rows = (torch.linspace(-1, 1, 8 * n).sin().mul(9).frac().view(n, 8) for n in (36, 50))
        states, rows = states.view(3, 12, 8).requires_grad_(), rows.requires_grad_()
        weights = bench.head(name)(states, mask, rows)
        weights.square().sum().backward()
        found.append((weights, states.grad, rows.grad))
    assert found[0][0].count_nonzero() > 50
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-5)


def test_without_a_gpu_it_says_so_and_measures_nothing(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        bench.main()
    assert ended.value.code == 2 and "no GPU here: nothing measured" in capsys.readouterr().err


def test_a_way_without_figures_is_compared_with_nothing():
    rows = [
        {"milliseconds": 6.0, "peak_gb": 4.0},
        {"milliseconds": 2.0, "peak_gb": 0.5},
        {"milliseconds": None, "peak_gb": None},
    ]
    assert [(row["faster"], row["less_memory"]) for row in bench.beside(rows)] == [(1.0, 1.0), (3.0, 8.0), (None, None)]
