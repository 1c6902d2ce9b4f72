"""Everything the report shows: the artifacts of the steps, and what the tracker says each of them took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kosparse.evaluation.results import Results, read_results
from kosparse.jsonl import read_json, read_lines, read_records
from kosparse.records import Pair, Reject, SynonymEntry


@dataclass(frozen=True)
class ReportData:
    """One run, as its artifacts tell it."""

    prerequisites: dict[str, Any]
    corpus: dict[str, Any]
    llm: dict[str, Any]
    calibration: dict[str, Any]
    dictionary: dict[str, Any]
    """Summary of the dictionary."""
    entries: list[SynonymEntry]
    funnel: dict[str, Any]
    kept: list[Pair]
    rejects: list[Reject]
    """A few of each reason."""
    rejected: dict[str, int]
    """All of them, counted by reason."""
    training: dict[str, Any]
    history: list[dict[str, Any]]
    trends: dict[str, Any]
    results: Results
    examples: dict[str, Any]
    steps: dict[str, dict[str, float]]
    """What each step took: ``seconds``, and ``llm_calls``, ``llm_prompt_tokens`` ... of those that asked. Empty where
    nobody kept it."""

    @property
    def prompts(self) -> list[str]:
        """Fingerprints of the prompts behind the pairs and the dictionary, sorted."""
        used = {pair.provenance.prompt for pair in self.kept if pair.provenance}
        return sorted(used | {self.calibration.get("prompt") or ""} - {""})


def gather(paths: dict[str, Path], examples: int, steps: dict[str, dict[str, float]] | None = None) -> ReportData:
    """Read the artifacts.

    Args:
        paths: By the names of the report step's inputs.
        examples: Rejects kept per reason.
        steps: What the steps took, by name, as the tracker tells it.

    Raises:
        InputError: One is missing or malformed; names it.
    """
    rejects = list(read_records(paths["rejects"], Reject))
    return ReportData(
        prerequisites=read_json(paths["prerequisites"]),
        corpus=read_json(paths["corpus_summary"]),
        llm=read_json(paths["llm"]),
        calibration=read_json(paths["calibration"]),
        dictionary=read_json(paths["dictionary_summary"]),
        entries=list(read_records(paths["dictionary"], SynonymEntry)),
        funnel=read_json(paths["funnel"]),
        kept=list(read_records(paths["kept"], Pair)),
        rejects=_few_of_each(rejects, examples),
        rejected=dict(Counter(reject.reason for reject in rejects).most_common()),
        training=read_json(paths["training_set"] / "summary.json"),
        history=_history(paths["history"]),
        trends=read_json(paths["trends"]),
        results=read_results(paths["results"]),
        examples=read_json(paths["results"] / "examples.json"),
        steps=steps or {},
    )


def summary_of(data: ReportData) -> dict[str, Any]:
    """``summary.json``: the documented, stable keys known before registration."""
    found = data.results
    systems = {name: dict(row.metrics) for name, row in found.systems.items()}
    cost = found.systems["sparse"].efficiency
    return {
        "recipe": data.prerequisites.get("recipe", ""),
        "corpus": {key: data.corpus.get(key) for key in ("documents", "passages", "sha256")},
        "synthetic": {
            "generated": data.funnel["generated"],
            "kept": data.funnel["kept"],
            "rejected": data.funnel["rejected"],
        },
        "dictionary": {"before": data.dictionary["before"], "after": data.dictionary["after"]},
        "evaluation": {
            "judgements": found.judgements,
            "split": found.split,
            "queries": found.queries,
            **systems,
        },
        "model": {
            "sha256": found.model_sha256,
            "active_dims_doc": cost.active_dims_doc,
            "active_dims_query": cost.active_dims_query,
            "flops": cost.flops,
        },
        "llm": {key: data.llm.get(key, "") for key in ("model", "revision", "quantization")},
        "prompts": data.prompts,
    }


def _few_of_each(rejects: Iterable[Reject], count: int) -> list[Reject]:
    seen: Counter[str] = Counter()
    few = []
    for reject in rejects:
        seen[reject.reason] += 1
        if seen[reject.reason] <= count:
            few.append(reject)
    return sorted(few, key=lambda reject: reject.reason)


def _history(path: Path) -> list[dict[str, Any]]:
    """Training history, one JSON object per line."""
    import json

    from kosparse.errors import InputError

    rows = []
    for number, line in read_lines(path):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise InputError(f"not JSON: {error}", where=f"{path}:{number}", fix="Run train_sparse again.") from error
    return rows
