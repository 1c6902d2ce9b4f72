"""What the backbone probe says of logits."""

import pytest
import torch

from kosparse.sparse.probe import Probe

RANDOM = torch.Generator().manual_seed(0)
SOUND = torch.randn(20, 50, generator=RANDOM) - 1.0
DENSE = torch.rand(20, 50, generator=RANDOM) + 1.0
COLLAPSED = (torch.arange(50) < 10).float().expand(20, 50) * 3.0 - 1.0


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (SOUND, SOUND, "sound; calibrated"),
        (DENSE, SOUND, "corrected to"),
        (COLLAPSED, SOUND, "corrected to"),
        (DENSE, DENSE, "still 100%"),
        (COLLAPSED, COLLAPSED, "and 1.00: expect little"),
    ],
)
def test_both_failures_are_told_and_whether_they_are_gone(before, after, said):
    assert said in Probe.of(before, after).line()


def test_every_passage_alike_and_every_term_active_are_measured():
    probe = Probe.of(DENSE, COLLAPSED)
    assert probe.active_before == 1.0 and probe.active == pytest.approx(0.2)
    assert probe.alike == pytest.approx(1.0) and Probe.of(SOUND, SOUND).alike < 0.5
