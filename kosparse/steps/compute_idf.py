"""``compute_idf``: weigh every unit of the backbone by how rare it is in the passages."""

from __future__ import annotations

from kosparse import progress
from kosparse.config import ComputeIdfConfig
from kosparse.corpus.idf import unit_idf
from kosparse.corpus.units import load_units
from kosparse.jsonl import read_records, write_json
from kosparse.records import Passage
from kosparse.steps.runtime import InPath, Metrics, OutPath, step


@step
def run(config: ComputeIdfConfig, *, passages: InPath, backbone: InPath, idf: OutPath) -> Metrics:
    """Write ``{unit: weight}`` for all units but special tokens."""
    rows = progress.track(read_records(passages, Passage), "counting", unit="passages")
    weights, seen = unit_idf((row.text for row in rows), load_units(backbone))
    write_json(idf, weights)
    return {"tokens": float(len(weights)), "seen_tokens": float(seen), "max_idf": max(weights.values(), default=0.0)}
