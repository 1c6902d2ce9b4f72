"""Merge curated, verified and discovered pairs into the dictionary, and export it."""

from __future__ import annotations

from kosparse.config import EnhanceDictionaryConfig
from kosparse.jsonl import read_records, write_json, write_records
from kosparse.records import SynonymCandidate, SynonymEntry, Verdict
from kosparse.steps.inputs import brought
from kosparse.steps.runtime import InPath, Metrics, OutPath, step
from kosparse.synonyms.enhance import enhance_dictionary, summarise
from kosparse.synonyms.export import write_synonyms
from kosparse.synonyms.homographs import mark_homographs


@step
def run(
    config: EnhanceDictionaryConfig,
    *,
    candidates: InPath,
    verdicts: InPath,
    discovered: InPath,
    dictionary: OutPath,
    synonyms: OutPath,
    rejects: OutPath,
    dictionary_summary: OutPath,
) -> Metrics:
    """Write the dictionary, the synonym files, the rejects and the summary; return the growth."""
    from kosparse.adapters.embedder import open_embedder

    mined = list(read_records(candidates, SynonymCandidate))
    entries, left_out = enhance_dictionary(
        mined,
        list(read_records(verdicts, Verdict)),
        list(read_records(discovered, Verdict)),
        config.verification_threshold,
    )
    if any(not entry.curated for entry in entries):
        entries = mark_homographs(entries, open_embedder())
    summary = summarise(mined, entries, config.verification_threshold)
    write_records(dictionary, entries)
    with brought(config.previous) as path:
        write_synonyms(synonyms, entries, list(read_records(path, SynonymEntry)) if path else None)
    write_records(rejects, left_out)
    write_json(dictionary_summary, summary)
    numbers = {name: summary[name] for name in ("before", "after", "growth", "expected_precision")}
    return {
        "entries": float(len(entries)),
        "rejected": float(len(left_out)),
        **{name: float(value) for name, value in numbers.items() if value is not None},
    }
