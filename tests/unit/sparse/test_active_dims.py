"""The threshold moves until the wanted number of dimensions is active."""

import pytest
import torch

from kosparse.sparse.active_dims import ActiveDims
from kosparse.sparse.probe import Probe
from kosparse.sparse.student import Margins


class Ten:
    """One passage with the logits 0 to 9, and three dimensions that stay whatever happens."""

    def __init__(self):
        self.threshold = 0.0

    def margins(self):
        return Margins(torch.arange(10.0) - self.threshold, share=1.0, fixed=3.0)

    def shift(self, amount):
        self.threshold += amount


def test_the_target_is_met_from_above_and_from_below():
    student = Ten()
    assert ActiveDims(7).hold(student) == 7 and student.margins().active == 7
    assert ActiveDims(12).hold(student) == 12 and student.margins().active == 12


@pytest.mark.parametrize(("target", "nearest"), [(1, 3), (50, 13)])
def test_a_target_nobody_can_meet_is_met_as_nearly_as_can_be(target, nearest, capsys, monkeypatch):
    monkeypatch.delenv("KOSPARSE_EVENTS", raising=False)
    student = Ten()
    control = ActiveDims(target)

    assert control.hold(student) == nearest and student.margins().active == nearest
    assert control.hold(student) == nearest
    assert capsys.readouterr().err.count(f"nearest is {nearest}") == 1


def test_without_a_target_nothing_moves():
    student = Ten()
    assert ActiveDims(0).hold(student) == 12 and student.threshold == 0


def test_the_probe_tells_a_backbone_where_everything_is_active():
    dense = torch.ones(4, 5)
    sparse = torch.eye(4, 5) - 0.5
    probe = Probe.of(dense, sparse)

    assert (probe.active_before, probe.alike_before) == (1.0, pytest.approx(1.0))
    assert (probe.active, probe.alike) == (pytest.approx(0.2), 0.0)
    assert "corrected" in probe.line() and "sound" in Probe.of(sparse, sparse).line()
