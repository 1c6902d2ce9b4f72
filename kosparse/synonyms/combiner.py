"""Probabilities that mean what they say: a small logistic regression fitted on labelled pairs.

Platt, Probabilistic Outputs for Support Vector Machines, 1999: a calibrated score is a logistic function of the
evidence. What was fitted on one model's answers says nothing about another's, so a fit carries the model,
precision and prompts it was made with and is refused for any other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from kosparse.errors import ConfigError, InputError
from kosparse.records import Provenance

Floats = NDArray[np.float64]
_FOLDS = 5


class Weights(BaseModel):
    """A standardised logistic regression: ``p = 1 / (1 + exp(-(intercept + sum w (x - mean) / scale)))``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mean: list[float]
    scale: list[float]
    weights: list[float]
    intercept: float


class Combiner:
    """Logistic regression over evidence; ``fit`` it, or make it of weights that were fitted before."""

    def __init__(self, weights: Weights | None = None, regularisation: float = 1.0) -> None:
        self.weights = weights or Weights(mean=[], scale=[], weights=[], intercept=0.0)
        self._regularisation = regularisation

    def fit(self, evidence: Floats, labels: Sequence[bool]) -> Combiner:
        """Fit on evidence [n, features] and labels [n], both classes present."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(evidence)
        model = LogisticRegression(C=1.0 / self._regularisation, max_iter=1000)
        model.fit(scaler.transform(evidence), np.asarray(labels))
        self.weights = Weights(
            mean=scaler.mean_.tolist(),
            scale=scaler.scale_.tolist(),
            weights=model.coef_[0].tolist(),
            intercept=float(model.intercept_[0]),
        )
        return self

    def predict(self, evidence: Floats) -> Floats:
        """Probability of True for each row: shape [n]."""
        if not len(evidence):
            return np.zeros(0)
        w = self.weights
        standardised = (evidence - np.array(w.mean)) / np.array(w.scale)
        probabilities: Floats = 1.0 / (1.0 + np.exp(-(standardised @ np.array(w.weights) + w.intercept)))
        return probabilities

    def coefficients(self, names: Sequence[str]) -> dict[str, float]:
        """Weight of each standardised feature: their sizes can be compared."""
        return dict(zip(names, (round(w, 3) for w in self.weights.weights), strict=True))


class Calibration(BaseModel):
    """Fitted combiners, and whose answers they are good for. In a run's ``calibration`` under ``fitted``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str = ""
    quantization: str = ""
    prompt: str = ""
    """Fingerprint of the prompts; these three are empty where no model was asked."""
    features: list[str]
    labelled: int
    """Pairs the model was asked about to fit ``with_llm``."""
    without_llm: Weights
    with_llm: Weights | None = None
    quality: dict[str, Any] = {}
    """Cross-validated, of both (see ``calibrate.quality``)."""

    def require(self, made_by: Provenance | None, features: Sequence[str]) -> None:
        """Refuse to be used for what it was not fitted for.

        Args:
            made_by: The model and prompts in use; None where no model is asked.
            features: The evidence in use, in order.

        Raises:
            ConfigError: Something differs; says what, and what it should be.
        """
        wanted = {"features": self.features} | (
            {} if made_by is None else {"model": self.model, "quantization": self.quantization, "prompt": self.prompt}
        )
        found = {"features": list(features)} | (made_by.model_dump() if made_by else {})
        differing = [name for name in wanted if wanted[name] != found[name]]
        if made_by is not None and self.with_llm is None:
            differing = ["model"]
        if differing:
            told = "; ".join(f"{name}: fitted for {wanted[name]!r}, in use {found[name]!r}" for name in differing)
            raise ConfigError(
                f"this calibration is for something else: {told}",
                where="verify_synonyms.calibration",
                fix="Leave the setting empty: the combiner is then fitted anew, on labelled pairs asked in the run.",
            )


def read_calibration(path: Path) -> Calibration:
    """Read what a run wrote as ``calibration``.

    Raises:
        InputError: It is no such file.
    """
    try:
        return Calibration.model_validate(json.loads(path.read_text(encoding="utf-8"))["fitted"])
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise InputError(
            f"not a calibration: {error}", where=str(path), fix="Give the calibration output of verify_synonyms."
        ) from error


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
