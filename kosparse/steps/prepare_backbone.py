"""Turn an encoder into a backbone whose vectors are sparse from the start."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kosparse import progress
from kosparse.config import PrepareBackboneConfig
from kosparse.corpus.locations import Location
from kosparse.jsonl import read_json, read_records
from kosparse.records import AlignedText, Passage
from kosparse.settings import settings
from kosparse.steps.inputs import bring
from kosparse.steps.runtime import InPath, Metrics, OutPath, step

_RECIPE = 2
"""Raised when the same inputs would give another backbone."""
_METRICS = ("terms", "parameters", "active_terms", "probe_active", "probe_alike", "unknown")
_ADAPTED = ("mlm_loss_before", "mlm_loss", "mlm_steps")


@step
def run(config: PrepareBackboneConfig, *, passages: InPath, parallel: InPath, backbone: OutPath) -> Metrics:
    """Prune the vocabulary to the collection, adapt the encoder when asked, and give the model a calibrated output; or
    take a trained model as it is.

    What is made anew is kept below the cache, keyed by the text and the settings, and reused.
    """
    texts = [row.text for row in read_records(passages, Passage)]
    reused = _take(config, texts, backbone) if config.start_from else _build(config, texts, parallel, backbone)
    _share_vectors(backbone, texts)
    described = read_json(backbone / "backbone.json")
    numbers = {name: float(described[name]) for name in (*_METRICS, *_ADAPTED) if name in described}
    return {**numbers, "reused": float(reused)}


def _take(config: PrepareBackboneConfig, texts: Sequence[str], backbone: Path) -> bool:
    """Start from a trained model."""
    from kosparse.adapters.registry_mlflow import MlflowRegistry, refuse_pickles
    from kosparse.sparse.warm_start import trained_backbone

    with tempfile.TemporaryDirectory(prefix="kosparse-model-") as scratch:
        if config.start_from.startswith("models:/"):
            fetched = MlflowRegistry(settings().mlflow_uri).fetch(config.start_from, Path(scratch))
            model = Location(fetched, config.start_from)
        else:
            model = bring(config.start_from, Path(scratch))
        refuse_pickles(model.path)
        trained_backbone(model, texts, backbone, units=config.units)
    return True


def _build(config: PrepareBackboneConfig, texts: Sequence[str], parallel: Path, backbone: Path) -> bool:
    """Make a backbone for the collection, or take the one in the cache; whether it was there."""
    from kosparse.models import resolve
    from kosparse.sparse.adaptation import Adaptation
    from kosparse.sparse.backbone import build_backbone

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
            max_units=config.max_units,
            max_length=config.max_length,
            active_quantile=config.active_quantile,
            units=config.units,
            adaptation=Adaptation(config.adapt_steps, config.adapt_seconds, config.adapt_learning_rate, config.seed),
        )
        shutil.rmtree(kept, ignore_errors=True)
        os.replace(fresh, kept)
    shutil.copytree(kept, backbone)
    return reused


def _share_vectors(backbone: Path, texts: Sequence[str]) -> None:
    """Spare the embedder the passages when it is the model the backbone was made of."""
    from kosparse.adapters.embedder import open_embedder
    from kosparse.sparse.backbone import dense_vectors

    vectors = dense_vectors(backbone, texts, settings().cache / "states")
    if vectors is not None and open_embedder().remember(texts, "passage", vectors):
        progress.note("the backbone's encoder is the embedder: dense vectors of the passages are shared")


def _key(config: PrepareBackboneConfig, *texts: Sequence[str]) -> str:
    """Hash of everything the backbone is made from."""
    made_from = config.model_dump(exclude={"start_from"})  # with it, nothing is made
    digest = hashlib.sha256(json.dumps([_RECIPE, made_from], sort_keys=True).encode())
    source = Path(config.model) / "config.json"
    digest.update(source.read_bytes() if source.is_file() else b"")
    for group in texts:
        for text in group:
            digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:20]
