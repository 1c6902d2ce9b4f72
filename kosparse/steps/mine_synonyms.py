"""Propose Korean-English pairs from the documents and, where there is any, parallel text."""

from __future__ import annotations

from kosparse.config import MineSynonymsConfig
from kosparse.jsonl import read_records, write_records
from kosparse.records import AlignedText, Document
from kosparse.steps.inputs import brought
from kosparse.steps.runtime import InPath, Metrics, OutPath, step
from kosparse.synonyms.curated import read_curated
from kosparse.synonyms.mine import mine_synonyms, sources_of


@step
def run(
    config: MineSynonymsConfig, *, documents: InPath, parallel: InPath, candidates: OutPath, rejects: OutPath
) -> Metrics:
    """Write candidates and rejects; return their counts, also by source."""
    from kosparse.adapters.embedder import open_embedder

    embedder = open_embedder() if "embedding" in config.sources else None
    with brought(config.curated) as curated:
        found, left_out = mine_synonyms(
            list(read_records(documents, Document)),
            list(read_records(parallel, AlignedText)),
            config,
            embedder,
            read_curated(curated),
        )
    write_records(candidates, found)
    write_records(rejects, left_out)
    metrics = {"candidates": float(len(found)), "rejected": float(len(left_out))}
    for source in ("curated", *config.sources):
        metrics[source] = float(sum(source in sources_of(candidate) for candidate in found))
    return metrics
