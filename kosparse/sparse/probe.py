"""The backbone probe: are terms active everywhere, are unrelated passages alike?

Two failures are known to ruin training from some backbones (sentence-transformers issue 3431): every term
of every passage active, and cosine similarities near 1 between unrelated passages.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from kosparse.sparse.activation import Activation

_SAMPLE = 64
_DENSE, _ALIKE = 0.5, 0.9


@dataclass(frozen=True)
class Probe:
    """Share of active terms and mean cosine between different passages, before and after calibration."""

    active_before: float
    alike_before: float
    active: float
    alike: float

    @staticmethod
    def of(before: Tensor, after: Tensor) -> Probe:
        """Measure logits of shape [passages, terms], on a sample spread over the passages.

        Training chooses the activation later, so the default one is taken here. What is active is the same with each.
        """
        step = max(1, len(before) // _SAMPLE)
        return Probe(*_measure(before[::step]), *_measure(after[::step]))

    def line(self) -> str:
        """What was found, whether it had to be corrected, and whether that helped."""
        found = f"{self.active_before:.0%} of all terms active, unrelated passages {self.alike_before:.2f} alike"
        now = f"{self.active:.0%} and {self.alike:.2f}"
        if self.active > _DENSE or self.alike > _ALIKE:
            return f"backbone probe: {found}; still {now}: expect little of a training from this backbone"
        if self.active_before > _DENSE or self.alike_before > _ALIKE:
            return f"backbone probe: {found}; corrected to {now}"
        return f"backbone probe: {found}: sound; calibrated to {now}"


def _measure(logits: Tensor) -> tuple[float, float]:
    weights = Activation()(logits.float())
    unit = weights / weights.norm(dim=1, keepdim=True).clamp(min=1e-9)
    pairs = len(unit) * (len(unit) - 1)
    alike = float((unit @ unit.T).sum() - unit.square().sum()) / pairs if pairs else 0.0
    return float((weights > 0).float().mean()), alike
