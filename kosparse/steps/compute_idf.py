"""``compute_idf``: weigh every token of the backbone's vocabulary by how rare it is in the passages."""

from __future__ import annotations

from kosparse import progress
from kosparse.config import ComputeIdfConfig
from kosparse.corpus.idf import load_tokenizer, token_idf
from kosparse.jsonl import read_records, write_json
from kosparse.records import Passage
from kosparse.steps.runtime import InPath, Metrics, OutPath, step


@step
def run(config: ComputeIdfConfig, *, passages: InPath, backbone: InPath, idf: OutPath) -> Metrics:
    """Write ``{token: weight}`` for the whole vocabulary but special tokens."""
    rows = progress.track(read_records(passages, Passage), "counting", unit="passages")
    weights, seen = token_idf((row.text for row in rows), load_tokenizer(backbone))
    write_json(idf, weights)
    return {"tokens": float(len(weights)), "seen_tokens": float(seen), "max_idf": max(weights.values(), default=0.0)}
