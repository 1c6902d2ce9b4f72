"""Probabilities that mean what they say: a small logistic regression fitted on labelled pairs.

Platt, Probabilistic Outputs for Support Vector Machines, 1999: a calibrated score is a logistic
function of the evidence. It is fitted anew in every run from the labelled pairs and the (cached)
answers of the model and prompt in use, so it can never be applied to another model's answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kosparse.evaluation.significance import wilson

Floats = NDArray[np.float64]
_FOLDS = 5
_BINS = 10


class Combiner:
    """Standardised logistic regression; ``fit`` once, then ``predict`` probabilities."""

    def __init__(self, regularisation: float = 1.0) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0 / regularisation, max_iter=1000))

    def fit(self, evidence: Floats, labels: Sequence[bool]) -> Combiner:
        """Fit on evidence [n, features] and labels [n], both classes present."""
        self._model.fit(evidence, np.asarray(labels))
        return self

    def predict(self, evidence: Floats) -> Floats:
        """Probability of True for each row: shape [n]."""
        if not len(evidence):
            return np.zeros(0)
        probabilities: Floats = self._model.predict_proba(evidence)[:, 1]
        return probabilities

    def coefficients(self, names: Sequence[str]) -> dict[str, float]:
        """Weight of each standardised feature: their sizes can be compared."""
        return dict(zip(names, (round(float(w), 3) for w in self._model[-1].coef_[0]), strict=True))


def cross_validated(evidence: Floats, labels: Sequence[bool], groups: Sequence[str], seed: int) -> Floats:
    """Probability of each row by a combiner that has not seen it, nor any row of its group.

    Args:
        evidence: [n, features].
        labels: [n], at least two of each class.
        groups: [n], for example the Korean term, so that a term's true and false partners stay together.
        seed: Decides the folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    truth = np.asarray(labels)
    folds = StratifiedGroupKFold(min(_FOLDS, int(truth.sum()), int((~truth).sum())), shuffle=True, random_state=seed)
    held_out = np.full(len(truth), truth.mean())
    for train, test in folds.split(evidence, truth, groups):
        if len(set(truth[train])) == 2:
            held_out[test] = Combiner().fit(evidence[train], truth[train].tolist()).predict(evidence[test])
    return held_out


def logit(p: Floats) -> Floats:
    """``ln(p / (1 - p))``, p kept a little away from 0 and 1."""
    p = np.clip(p, 1e-4, 1 - 1e-4)
    return np.log(p / (1 - p))


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
