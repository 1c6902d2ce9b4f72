"""How far trainings differ that differ in nothing but their seed, and what that leaves of a comparison of two."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

SEED_SPREAD = 0.0016
"""Standard deviation of a training's nDCG@10 over seeds, as read on the sample collection (docs/evaluation.md)."""


def pooled_spread(groups: Sequence[Sequence[float]]) -> float:
    """Standard deviation of one value within its group, over all groups; ``SEED_SPREAD`` where none has two values.

    >>> round(pooled_spread([[0.61, 0.63], [0.5], [0.40, 0.42]]), 4)
    0.0141
    """
    freedom = sum(len(group) - 1 for group in groups)
    if not freedom:
        return SEED_SPREAD
    return math.sqrt(sum(float(np.var(group)) * len(group) for group in groups) / freedom)


def of_difference(spread: float, first: int = 1, second: int = 1) -> float:
    """Standard deviation of the difference of two means over so many seeds each.

    >>> round(of_difference(0.003, 1, 1), 4), round(of_difference(0.003, 3, 3), 4)
    (0.0042, 0.0024)
    """
    return spread * math.sqrt(1 / first + 1 / second)
