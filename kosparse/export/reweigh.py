"""Bring the query side of a trained model to newer IDF and trends, without training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kosparse.errors import InputError
from kosparse.export.query_weights import dimensions, query_weights


@dataclass(frozen=True)
class Weighing:
    """What a query side was weighed by."""

    idf: Mapping[str, float]
    boosts: Mapping[str, float]
    """Of rising terms; 1 for all others."""

    def of(self, name: str) -> float:
        """IDF times boost; 0 for what has no IDF."""
        return self.idf.get(name, 0.0) * self.boosts.get(name, 1.0)


def reweigh(model: Path, before: Weighing, now: Weighing) -> float:
    """Multiply each query weight by what its IDF and boost have grown by, in place; return the mean change.

    Training may have moved the weights from where they started (IDF times boost): a factor keeps what it learned.

    Args:
        model: A sentence-transformers folder, a copy: its weights are replaced.
        before: What the model was trained from.
        now: What it should follow.

    Raises:
        InputError: The model's queries go through an encoder, which has no weight per term.
    """
    from safetensors.numpy import load_file, save_file

    folders = sorted(path for path in model.glob("query_0_*") if (path / "model.safetensors").is_file())
    if query_weights(model) is None or not folders:
        raise InputError("this model has no weight per term", where=str(model), fix="Train it again instead.")
    path = folders[0] / "model.safetensors"
    tensors = load_file(path)
    weights, changes = tensors["weight"].copy(), []
    for row, name in enumerate(dimensions(model)):
        old = before.of(name)
        if row < len(weights) and weights[row] > 0 and old > 0:
            factor = now.of(name) / old
            weights[row] *= factor
            changes.append(abs(factor - 1))
    save_file({**tensors, "weight": weights}, path)
    return sum(changes) / len(changes) if changes else 0.0
