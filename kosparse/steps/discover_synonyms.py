"""Ask the language model for further names of known terms, and verify each proposal."""

from __future__ import annotations

from kosparse.config import DiscoverSynonymsConfig
from kosparse.jsonl import read_records, write_records
from kosparse.progress import note
from kosparse.records import Document, Verdict
from kosparse.steps.inputs import brought
from kosparse.steps.runtime import InPath, Metrics, OutPath, step
from kosparse.synonyms.combiner import read_calibration
from kosparse.synonyms.discover import discover_synonyms_with_llm


@step
def run(
    config: DiscoverSynonymsConfig, *, verdicts: InPath, documents: InPath, llm: InPath, discovered: OutPath
) -> Metrics:
    """Write one verdict per new pair; return how many were proposed, left out and accepted."""
    from kosparse.adapters.embedder import open_embedder
    from kosparse.llm.loader import open_chat_model

    with brought(config.calibration) as path:
        fitted = read_calibration(path) if path else None
    found, rejects = discover_synonyms_with_llm(
        list(read_records(verdicts, Verdict)),
        list(read_records(documents, Document)),
        open_chat_model(config.concurrency),
        config=config,
        embedder=open_embedder(),
        calibration=fitted,
    )
    write_records(discovered, found)
    if rejects:
        note(f"{len(rejects)} proposals left out: {', '.join(sorted({reject.reason for reject in rejects}))}")
    return {
        "proposed": float(len(found) + len(rejects)),
        "rejected": float(len(rejects)),
        "verified": float(sum(verdict.asked_llm for verdict in found)),
        "accepted": float(sum(verdict.p >= config.min_p for verdict in found)),
    }
