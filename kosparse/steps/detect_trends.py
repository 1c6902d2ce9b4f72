"""``detect_trends``: terms that recent documents use more than earlier ones; a note when that cannot be told."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from kosparse import progress
from kosparse.config import DetectTrendsConfig
from kosparse.corpus.trends import by_token, detect
from kosparse.jsonl import read_json, read_records, write_json
from kosparse.records import Document
from kosparse.steps.runtime import InPath, Metrics, OutPath, step


@step
def run(config: DetectTrendsConfig, *, documents: InPath, idf: InPath, trends: OutPath) -> Metrics:
    """Write ``{"note", "as_of", "terms": {token: boost}, "unmatched": {term: boost}, "evidence": [...]}``.

    ``as_of`` is the day the boosts are for: today, to which they have faded.
    """
    today = date.today()
    found = detect(read_records(documents, Document), config, today)
    terms, unmatched = by_token(found.rises, read_json(idf))
    progress.note(found.note)
    evidence = [asdict(rise) for rise in found.rises]
    boosts = {"terms": terms, "unmatched": unmatched, "evidence": evidence}
    write_json(trends, {"note": found.note, "as_of": today.isoformat(), **boosts})
    return {"rising_terms": float(len(found.rises)), "boosted_tokens": float(len(terms))}
