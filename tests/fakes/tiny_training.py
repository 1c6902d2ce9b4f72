"""Forty short documents, a tiny backbone over them, and something to train on."""

import json
from pathlib import Path

import numpy as np

from kosparse.records import Passage, TrainingQuery
from kosparse.sparse.backbone import build_backbone
from kosparse.sparse.teacher import TeacherScores
from kosparse.sparse.training_set import TrainingSet
from tests.data.make_corpus import write
from tests.fakes.tiny_encoder import write_tiny_encoder


def write_tiny_backbone(folder: Path, units: str, family: str = "bert") -> tuple[list[str], dict[str, float]]:
    """Write ``folder/backbone``; the documents' texts, and what ``build_backbone`` returned."""
    lines = (write(folder / "corpus") / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    numbers = build_backbone(
        write_tiny_encoder(folder / "encoder", texts, family=family),
        texts,
        [],
        folder / "backbone",
        cache=folder / "states",
        layers=2,
        prune_vocabulary=True,
        max_length=64,
        active_quantile=0.8,
        units=units,
    )
    return texts, numbers


def tiny_training_set(texts: list[str], synthetic_every: int = 0) -> TrainingSet:
    """The first two words of each document as its query; every so many of them count as synthetic."""
    passages = [Passage(id=f"p{n}#0", document_id=f"p{n}", position=0, text=text) for n, text in enumerate(texts)]
    queries = [
        TrainingQuery(
            id=f"q{n}",
            text=" ".join(text.split()[:2]),
            origin="document_to_query" if synthetic_every and n % synthetic_every == 1 else "pseudo",
            passage_id=f"p{n}#0",
            split="validation" if n % 5 == 0 else "train",
        )
        for n, text in enumerate(texts)
    ]
    count = len(texts)
    best = np.array([[n, (n + 1) % count, (n + 2) % count] for n in range(count)], dtype=np.int32)
    return TrainingSet(queries, passages, TeacherScores(best, np.tile(np.float32([1.0, 0.3, 0.1]), (count, 1))))
