"""kosparse: neural sparse retrieval for Korean, trained without labels.

The names of the public library are loaded on first use, so ``import kosparse`` stays light.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "load_llm_model": "kosparse.llm.loader",
    "generate_text": "kosparse.llm.loader",
    "check_gpu_memory": "kosparse.llm.memory",
    "generate_queries_from_documents": "kosparse.synthetic.queries",
    "generate_documents_from_queries": "kosparse.synthetic.documents",
    "augment_query": "kosparse.synthetic.augment",
    "generate_hard_negatives": "kosparse.synthetic.hard_negatives",
    "filter_synthetic_pairs": "kosparse.synthetic.filters",
    "generate_synthetic_qd_pairs": "kosparse.synthetic",
    "verify_synonyms_with_llm": "kosparse.synonyms.verify",
    "discover_synonyms_with_llm": "kosparse.synonyms.discover",
    "enhance_bilingual_dict_with_llm": "kosparse.synonyms.enhance",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'kosparse' has no attribute {name!r}")
