"""``register_model``: the trained encoder as a model version a person reviews."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kosparse import progress
from kosparse.config import RegisterModelConfig
from kosparse.evaluation.results import QueryResult, Results, judgements_hash, read_results
from kosparse.export.hashing import folder_hash
from kosparse.jsonl import read_json, read_records, write_json
from kosparse.ports import DatasetLink, ModelVersion
from kosparse.settings import Settings, settings
from kosparse.steps.runtime import InPath, Metrics, OutPath, step


@step
def run(
    config: RegisterModelConfig,
    *,
    model: InPath,
    results: InPath,
    html: InPath,
    summary: InPath,
    dictionary: InPath,
    registration: OutPath,
) -> Metrics:
    """Register the model with its metrics, report and lineage; write name, version, alias and address.

    Without a tracking server nothing is registered, and the registration says so. Run again for the
    same pipeline run and model, the same version is found again.

    Raises:
        ServiceError: The tracking server does not answer or refuses us.
        InputError: The model holds pickled weights.
    """
    current = settings()
    found, said = read_results(results), read_json(summary)
    tags = lineage(found, said, current, folder_hash(model))
    if not current.mlflow_uri:
        progress.note("the model is not registered: MLFLOW_TRACKING_URI is not set")
        _write(registration, ModelVersion(config.name, "", config.alias), tags)
        return {"registered": 0.0}
    from kosparse.adapters.registry_mlflow import MlflowRegistry

    named = {"report.html": html, "summary.json": summary, "dictionary.jsonl": dictionary}
    with tempfile.TemporaryDirectory() as folder:
        version = MlflowRegistry(current.mlflow_uri).register(
            current.run_id,
            config.name,
            model,
            metrics=_metrics(found),
            tags=tags,
            artifacts=[*_copies(named, Path(folder)), results / "results.json", results / "per_query.jsonl"],
            alias=config.alias,
            datasets=datasets(found, said, results),
            description=_description(found),
        )
    _write(registration, version, tags)
    progress.note(f"registered {version.name} version {version.version} as {version.alias}: {version.url}")
    return {"registered": 1.0, "version": float(version.version)}


def _copies(files: Mapping[str, Path], folder: Path) -> list[Path]:
    """The files under names that MLflow's page knows how to show."""
    return [Path(shutil.copyfile(path, folder / name)) for name, path in files.items()]


def lineage(found: Results, said: dict[str, Any], current: Settings, model_sha256: str) -> dict[str, str]:
    """What the model was made of, as tags: corpus, prompts, language model, code and run."""
    llm, corpus = said.get("llm", {}), said.get("corpus", {})
    tags = {
        "validation_status": "pending",
        "kosparse.run_id": current.run_id,
        "kosparse.model_sha256": model_sha256,
        "kosparse.corpus_sha256": corpus.get("sha256", ""),
        "kosparse.judgements": found.judgements,
        "kosparse.recipe": said.get("recipe", ""),
        "kosparse.llm_model": llm.get("model", ""),
        "kosparse.llm_revision": llm.get("revision", ""),
        "kosparse.llm_quantization": llm.get("quantization", ""),
        "kosparse.prompts": ", ".join(said.get("prompts", [])),
        "kosparse.git_sha": current.git_sha,
        "kosparse.image_digest": current.image_digest,
    }
    return {name: str(value) for name, value in tags.items() if value}


def datasets(found: Results, said: Mapping[str, Any], results: Path) -> list[DatasetLink]:
    """What the model was trained for and measured on: the collection, and the evaluated queries with judgements."""
    corpus = said.get("corpus", {})
    counts = {name: int(corpus[name]) for name in ("documents", "passages") if corpus.get(name)}
    judged = judgements_hash(read_records(results / "per_query.jsonl", QueryResult))
    measured = {"queries": found.queries, "judgements": found.qrels, "documents": found.documents}
    links = [DatasetLink(f"evaluation ({found.judgements}, {found.split})", judged, "evaluation", measured)]
    if corpus.get("sha256"):
        links.insert(0, DatasetLink("corpus", str(corpus["sha256"]), "training", counts))
    return links


def _metrics(found: Results) -> dict[str, float]:
    metrics = {f"{name}.{key}": value for name, row in found.systems.items() for key, value in row.metrics.items()}
    cost = found.systems["sparse"].efficiency
    return metrics | {
        "active_dims_doc": cost.active_dims_doc or 0.0,
        "active_dims_query": cost.active_dims_query or 0.0,
        "flops": cost.flops or 0.0,
    }


def _description(found: Results) -> str:
    """The verdict in a few lines of Markdown, for the registry's page."""
    rows = "\n".join(f"| {name} | {row.metrics[found.primary]:.3f} |" for name, row in found.systems.items())
    judged = f"{found.queries:,} {found.judgements} queries ({found.split}), {found.documents:,} documents"
    return f"{judged}\n\n| system | {found.primary} |\n|---|---|\n{rows}\n"


def _write(path: Path, version: ModelVersion, tags: dict[str, str]) -> None:
    write_json(
        path,
        {
            "name": version.name,
            "version": version.version,
            "alias": version.alias if version.version else "",
            "url": version.url,
            "tags": tags,
        },
    )
