"""The exported folder, loaded by plain sentence-transformers: proof that it needs nothing of kosparse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kosparse.errors import InputError


def example_weights(folder: Path, query: str, passage: str) -> tuple[dict[str, float], dict[str, float]]:
    """Encode one query and one passage; return the weight of each token.

    Raises:
        InputError: sentence-transformers cannot load the folder or encode with it.
    """
    from sentence_transformers import SparseEncoder

    try:
        model = SparseEncoder(str(folder), device="cpu")
        asked: Any = model.decode(model.encode_query([query]))
        found: Any = model.decode(model.encode_document([passage]))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(
            f"sentence-transformers cannot use the model: {error}",
            where=str(folder),
            fix="Train again with the installed version of sentence-transformers.",
        ) from error
    return {token: float(weight) for token, weight in asked[0]}, {token: float(weight) for token, weight in found[0]}
