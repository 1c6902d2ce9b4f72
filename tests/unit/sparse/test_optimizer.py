"""AdamW in 32 or 8 bits; where there is no 8-bit one a line says so and training goes on."""

import sys

import pytest
import torch
from torch import nn

from kosparse.sparse.optimizer import open_optimizer


def learnt(kind, steps=20, resume_at=0):
    """Parameters that are pulled towards 1, and the optimizer."""
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.randn(8192))
    optimizer = open_optimizer(kind, [{"params": [parameter], "lr": 0.1}])
    for step in range(steps):
        if step and step == resume_at:
            state = optimizer.state_dict()
            optimizer = open_optimizer(kind, [{"params": [parameter], "lr": 0.1}])
            optimizer.load_state_dict(state)
        optimizer.zero_grad()
        (parameter - 1).square().sum().backward()
        optimizer.step()
    return parameter.detach(), optimizer


def held(optimizer):
    """Bytes of the state."""
    (state,) = optimizer.state.values()
    return sum(value.nbytes for value in state.values() if isinstance(value, torch.Tensor))


def test_8_bits_learn_about_the_same_with_a_third_of_the_state():
    pytest.importorskip("bitsandbytes")
    plain, small = learnt("adamw"), learnt("adamw_8bit")

    assert type(small[1]).__name__ == "AdamW8bit"
    assert held(small[1]) < held(plain[1]) / 3
    assert float((small[0] - plain[0]).abs().mean()) < 0.02 * float((plain[0] - learnt("adamw", 0)[0]).abs().mean())


def test_its_state_comes_back_from_a_checkpoint():
    pytest.importorskip("bitsandbytes")
    assert torch.equal(learnt("adamw_8bit")[0], learnt("adamw_8bit", resume_at=7)[0])


def test_without_the_package_a_line_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    assert torch.equal(learnt("adamw_8bit")[0], learnt("adamw")[0])
    assert capsys.readouterr().err.count("the optimizer holds its state in 32 bits") == 1


def test_without_a_kernel_for_the_device_a_line_says_so(monkeypatch, capsys):
    optim = pytest.importorskip("bitsandbytes.optim")

    def missing(self, closure=None):
        raise NotImplementedError("no kernel for this device")

    monkeypatch.setattr(optim.AdamW8bit, "step", missing)
    assert type(learnt("adamw_8bit", steps=1)[1]) is torch.optim.AdamW
    assert "no kernel for this device" in capsys.readouterr().err
