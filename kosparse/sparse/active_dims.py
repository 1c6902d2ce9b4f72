"""A target instead of a lambda: the mean number of active dimensions is held by moving the threshold.

What regularization weight gives how many active dimensions depends on batch, data and backbone; the logit
from which on a dimension counts as active does not. So the regularizer only says *which* dimensions are
cheap to drop, and the threshold is set where the wanted number stays.
"""

from __future__ import annotations

from kosparse.progress import note
from kosparse.sparse.student import Student


class ActiveDims:
    """Holds the target.

    Args:
        target: Mean active dimensions per passage; 0 leaves them to the regularizer.
    """

    def __init__(self, target: float) -> None:
        self.target = target
        self.found = 0.0
        """Mean active dimensions before the last correction: how far they had drifted."""
        self._told = False

    def hold(self, student: Student) -> float:
        """Move the student's threshold to the target; return the mean active dimensions it then has.

        A target nobody can meet is met as nearly as can be, and a line says so.
        """
        margins = student.margins()
        self.found = margins.active
        if not self.target or not margins.logits.numel():
            return margins.active
        wanted = round((self.target - margins.fixed) / margins.share)
        reached = min(max(wanted, 0), margins.logits.numel())
        if reached != wanted and not self._told:
            nearest = margins.fixed + margins.share * reached
            note(f"active_dims={self.target:g} cannot be met; the nearest is {nearest:.0f}")
            self._told = True
        ordered = margins.logits.flatten().sort(descending=True).values
        # Halfway between the last that stays active and the first that does not.
        above = ordered[reached - 1] if reached else ordered[0] + 1.0
        below = ordered[reached] if reached < len(ordered) else ordered[-1] - 1.0
        student.shift(float(above + below) / 2)
        return margins.fixed + margins.share * reached
