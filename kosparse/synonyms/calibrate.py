"""How good probabilities are: discrimination, calibration, and precision at a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kosparse.evaluation.significance import wilson

Floats = NDArray[np.float64]
_BINS = 10


def quality(p: Floats, labels: Sequence[bool], kinds: Sequence[str], threshold: float) -> dict[str, Any]:
    """How good probabilities are on pairs not used to fit them.

    Returns:
        ``n``, ``brier`` (0 best), ``ece`` (expected calibration error over ten bins, 0 best), ``auroc``
        against all false pairs, ``auroc_hard`` and ``auroc_random`` against either kind, and at the
        threshold ``precision`` with its 95 % Wilson interval and ``recall``. Undefined values are None.
    """
    truth, random = np.asarray(labels), np.array([kind == "random" for kind in kinds])
    accepted = p >= threshold
    right = int((accepted & truth).sum())
    return {
        "n": len(truth),
        "brier": _round(float(np.mean((p - truth) ** 2))),
        "ece": _round(expected_calibration_error(p, truth)),
        "auroc": auroc(p[truth], p[~truth]),
        "auroc_hard": auroc(p[truth], p[~truth & ~random]),
        "auroc_random": auroc(p[truth], p[~truth & random]),
        "threshold": threshold,
        "accepted": int(accepted.sum()),
        "precision": _round(right / accepted.sum()) if accepted.any() else None,
        "precision_interval": [_round(bound) for bound in wilson(right, int(accepted.sum()))],
        "recall": _round(right / truth.sum()) if truth.any() else None,
    }


def expected_calibration_error(p: Floats, truth: NDArray[np.bool_]) -> float:
    """Mean gap between stated and observed share of true pairs over ten equal bins, weighted by size."""
    if not len(p):
        return 0.0
    bins = np.minimum((p * _BINS).astype(int), _BINS - 1)
    gaps = [abs(p[bins == b].mean() - truth[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist())]
    return float(sum(gaps))


def auroc(positive: Floats, negative: Floats) -> float | None:
    """Chance that a true pair scores above a false one, ties half; None when either is empty."""
    if not len(positive) or not len(negative):
        return None
    wins = (positive[:, None] > negative[None, :]).mean() + (positive[:, None] == negative[None, :]).mean() / 2
    return _round(float(wins))


def _round(value: float) -> float:
    return round(float(value), 4)
