"""Turn an encoder into a backbone whose vectors are sparse from the start."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from kosparse import progress
from kosparse.config import PrepareBackboneConfig
from kosparse.jsonl import read_json, read_records
from kosparse.records import AlignedText, Passage
from kosparse.settings import settings
from kosparse.steps.runtime import InPath, Metrics, OutPath, step

_RECIPE = 2
"""Raised when the same inputs would give another backbone."""
_METRICS = ("terms", "parameters", "active_terms", "probe_active", "probe_alike")
_ADAPTED = ("mlm_loss_before", "mlm_loss", "mlm_steps")


@step
def run(config: PrepareBackboneConfig, *, passages: InPath, parallel: InPath, backbone: OutPath) -> Metrics:
    """Prune the vocabulary to the collection, adapt the encoder when asked, and give the model a calibrated output.

    The result is kept below the cache, keyed by the text and the settings, and reused.
    """
    from kosparse.models import resolve
    from kosparse.sparse.adaptation import Adaptation
    from kosparse.sparse.backbone import build_backbone

    texts = [row.text for row in read_records(passages, Passage)]
    # Headings and keywords of aligned pages are evaluation queries: body text only.
    aligned = [row for row in read_records(parallel, AlignedText) if row.source not in ("heading", "keyword")]
    pairs = [(row.ko, row.en) for row in aligned]
    kept = settings().cache / "backbones" / _key(config, texts, [text for pair in pairs for text in pair])
    reused = (kept / "backbone.json").is_file()
    if not reused:
        fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        build_backbone(
            resolve(config.model),
            texts,
            pairs,
            fresh,
            cache=settings().cache / "states",
            layers=config.layers,
            prune_vocabulary=config.prune_vocabulary,
            max_length=config.max_length,
            active_quantile=config.active_quantile,
            units=config.units,
            adaptation=Adaptation(config.adapt_steps, config.adapt_seconds, config.adapt_learning_rate, config.seed),
        )
        shutil.rmtree(kept, ignore_errors=True)
        os.replace(fresh, kept)
    shutil.copytree(kept, backbone)
    _share_vectors(backbone, texts)
    described = read_json(backbone / "backbone.json")
    numbers = {name: float(described[name]) for name in (*_METRICS, *_ADAPTED) if name in described}
    return {**numbers, "reused": float(reused)}


def _share_vectors(backbone: Path, texts: Sequence[str]) -> None:
    """Spare the embedder the passages when it is the model the backbone was made of."""
    from kosparse.adapters.embedder import open_embedder
    from kosparse.sparse.backbone import dense_vectors

    vectors = dense_vectors(backbone, texts, settings().cache / "states")
    if vectors is not None and open_embedder().remember(texts, "passage", vectors):
        progress.note("the backbone's encoder is the embedder: dense vectors of the passages are shared")


def _key(config: PrepareBackboneConfig, *texts: Sequence[str]) -> str:
    """Hash of everything the backbone is made from."""
    digest = hashlib.sha256(json.dumps([_RECIPE, config.model_dump()], sort_keys=True).encode())
    source = Path(config.model) / "config.json"
    digest.update(source.read_bytes() if source.is_file() else b"")
    for group in texts:
        for text in group:
            digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:20]
