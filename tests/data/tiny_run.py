"""What a whole run of the graph needs to be over in minutes: a collection and an encoder to match, and settings."""

from __future__ import annotations

import json
from pathlib import Path

from tests.data.make_corpus import write
from tests.fakes.tiny_encoder import write_tiny_encoder

ASKING = (
    "verify_synonyms",
    "discover_synonyms",
    "generate_queries",
    "augment_queries",
    "generate_documents",
    "generate_hard_negatives",
    "filter_pairs",
)
SETTINGS = [
    "prepare_backbone.layers=2",
    "prepare_backbone.max_length=128",
    "build_training_set.pseudo_queries=80",
    "build_training_set.teacher_depth=16",
    "train_sparse.max_steps=12",
    "train_sparse.max_seconds=600",
    "evaluate.permutations=200",
    "serve_llm.model=fake",
    # Nothing is left out for want of time, so a second run finds every answer.
    *(f"{step}.budget_seconds=600" for step in ASKING),
]
"""On top of the recipe ``smoke``; ``prepare_backbone.model`` is the encoder's folder."""


def write_tiny_run(folder: Path) -> Path:
    """Write ``corpus/`` (BEIR) and ``encoder/`` (sentence-transformers) below the folder, and return it."""
    corpus = write(folder / "corpus")
    texts = [json.loads(line)["text"] for line in (corpus / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    write_tiny_encoder(folder / "tiny-encoder", texts).rename(folder / "encoder")
    return folder
