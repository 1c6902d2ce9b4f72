"""A sparse encoder as an MLflow pyfunc, from code: sentence-transformers, no pickle.

MLflow copies this file into the model and runs it where the model is loaded, so it imports nothing
of this package at first. A model over morphemes brings the package along (see ``registry_mlflow``). Input: a column
``text``. Parameter ``kind``: ``document`` (default) or ``query``. Output: a column ``weights`` with one
``{term: weight}`` object per text, as OpenSearch's ``rank_features`` fields and ``neural_sparse`` queries take them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext


class SparseEncoderModel(PythonModel):
    """Encodes texts with the sentence-transformers folder logged as the artifact ``sparse_encoder``."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the encoder on the processor; MLflow calls this once."""
        from sentence_transformers import SparseEncoder

        folder = context.artifacts["sparse_encoder"]
        self.encoder = SparseEncoder(folder, device="cpu", trust_remote_code=_needs_trust(Path(folder)))

    def predict(
        self, context: PythonModelContext | None, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Encode the column ``text``.

        Raises:
            ValueError: There is no such column, or ``kind`` is neither document nor query.
        """
        kind = (params or {}).get("kind", "document")
        encoders = {"document": self.encoder.encode_document, "query": self.encoder.encode_query}
        if kind not in encoders or "text" not in model_input:
            raise ValueError(f"give a column 'text' and kind 'document' or 'query'; got kind {kind!r}")
        texts = [str(text) for text in model_input["text"]]
        if not texts:
            return pd.DataFrame({"weights": []})
        vectors = encoders[kind](texts, convert_to_sparse_tensor=True)
        decoded: Any = self.encoder.decode(vectors)
        # A head padded beyond the vocabulary has dimensions without a name.
        named = [{term: float(weight) for term, weight in row if term is not None} for row in decoded]
        return pd.DataFrame({"weights": named})


def _needs_trust(folder: Path) -> bool:
    """Whether sentence-transformers must be told to load classes of the package.

    The rule is the package's, asked only where the folder names it: where it does not, there may be no such package.
    """
    if not any('"kosparse.' in path.read_text(encoding="utf-8") for path in folder.rglob("router_config.json")):
        return False
    from kosparse.trust import needs_trust

    return needs_trust(folder)


mlflow.models.set_model(SparseEncoderModel())
