"""The Triton kernel in Triton's interpreter: ``TRITON_INTERPRET=1 pytest`` where Triton is installed.

Triton comes with torch's CUDA builds; which of its own functions are interpreted is settled when it is imported.
"""

import importlib.util
import os

import pytest
import torch

from kosparse.sparse import fused_head

_RUNS = importlib.util.find_spec("triton") is not None and os.environ.get("TRITON_INTERPRET") == "1"
pytestmark = pytest.mark.skipif(
    not _RUNS, reason="Triton comes with CUDA builds of torch only; run it there with TRITON_INTERPRET=1"
)


@pytest.fixture(scope="module")
def kernel():
    from kosparse.sparse import fused_kernel

    return fused_kernel


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])  # the interpreter does not know bfloat16
def test_it_finds_what_the_plain_search_finds(kernel, dtype):
    # Texts of no token, of less than a tile, of more than one; terms and width that fill no tile.
    bounds = [0, 0, 3, 80, 210]
    states, weight = torch.randn(210, 40).to(dtype), torch.randn(100, 40).to(dtype)

    best, found = kernel.best_tokens(states, weight, bounds, fused_head.EMPTY)
    wanted, places = fused_head.best_tokens(states, weight, bounds)
    torch.testing.assert_close(best, wanted)
    if dtype == torch.float32:
        assert torch.equal(found, places)
    assert (found[0] == -1).all() and (found[1:] >= 0).all()


def test_it_takes_the_place_of_the_search_when_asked_for(kernel, monkeypatch):
    monkeypatch.setattr(fused_head, "_kernel", lambda states: kernel)
    states, weight = torch.randn(2, 5, 16, requires_grad=True), torch.randn(30, 16, requires_grad=True)
    fused_head.max_logits(states, torch.ones(2, 5), weight).sum().backward()
    through = [states.grad.clone(), weight.grad.clone()]
    states.grad = weight.grad = None

    monkeypatch.setattr(fused_head, "_kernel", lambda states: None)
    fused_head.max_logits(states, torch.ones(2, 5), weight).sum().backward()
    torch.testing.assert_close(through, [states.grad, weight.grad])
