"""``check_prerequisites``: fail in the first second rather than in the last hour."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import kosparse
from kosparse import progress
from kosparse.config import CheckPrerequisitesConfig
from kosparse.errors import InputError, ResourceError, ServiceError
from kosparse.jsonl import write_json
from kosparse.settings import Settings, settings
from kosparse.steps.inputs import no_corpus
from kosparse.steps.runtime import Metrics, OutPath, step

_REPORTED_PACKAGES = ("torch", "transformers", "sentence-transformers", "kiwipiepy", "mlflow-skinny", "minio", "kfp")


@step
def run(config: CheckPrerequisitesConfig, *, corpus: str, prerequisites: OutPath, champion: OutPath) -> Metrics:
    """Check corpus, disk, S3 and MLflow, open the tracking run all steps log under, keep what the champion measured.

    Raises:
        InputError: The corpus is not there.
        ResourceError: Too little free disk.
        ServiceError: A required service is not configured, unreachable or refuses us.
    """
    current = settings()
    _check_corpus(corpus)
    free_gb = _check_disk(prerequisites.parent, config.free_disk_gb)
    s3 = _check_s3(current, required=config.require_s3)
    tracking_run = _start_tracking(current, config, corpus)
    _keep_champion(current, config.registered_model, champion)
    write_json(
        prerequisites,
        {
            "recipe": config.recipe,
            "run_id": current.run_id,
            "tracking_run": tracking_run,
            "s3": s3,
            "free_disk_gb": round(free_gb, 1),
            "git_sha": current.git_sha,
            "image_digest": current.image_digest,
            "versions": _versions(),
        },
    )
    return {"free_disk_gb": round(free_gb, 1)}


def _check_corpus(corpus: str) -> None:
    if not corpus:
        raise no_corpus()
    if corpus.startswith("s3://") or Path(corpus).exists():
        return
    raise InputError(
        "there is no such corpus", where=corpus, fix="Give a file, a folder or s3://bucket/key (docs/own-corpus.md)."
    )


def _check_disk(folder: Path, needed_gb: float) -> float:
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < needed_gb:
        raise ResourceError(
            f"{free_gb:.1f} GB of disk are free, {needed_gb:.1f} GB are needed",
            where=str(folder),
            fix="Free some space, or lower check_prerequisites.free_disk_gb.",
        )
    return free_gb


def _check_s3(current: Settings, *, required: bool) -> bool:
    if not current.s3_endpoint:
        if required:
            raise ServiceError(
                "no object store is configured", where="S3_ENDPOINT", fix="Set S3_ENDPOINT and the AWS_* credentials."
            )
        return False
    from kosparse.adapters.store_s3 import buckets_of, open_store

    store, named = open_store(), buckets_of(current)
    for bucket in named:
        store.ensure_bucket(bucket)
    if not named:
        store.exists("mlpipeline", "kosparse")  # whatever is said of it: the store answers and knows us
    return True


def _start_tracking(current: Settings, config: CheckPrerequisitesConfig, corpus: str) -> str:
    if not current.mlflow_uri:
        if config.require_mlflow:
            raise ServiceError(
                "no tracking server is configured",
                where="MLFLOW_TRACKING_URI",
                fix="Set MLFLOW_TRACKING_URI, or check_prerequisites.require_mlflow=false.",
            )
        progress.note("nothing is tracked: MLFLOW_TRACKING_URI is not set")
        return ""
    from kosparse.adapters.tracking_mlflow import MlflowTracker

    params: dict[str, Any] = {"recipe": config.recipe, "corpus": Path(corpus).name, "seed": config.seed}
    return MlflowTracker(current.mlflow_uri).start_run(current.run_id, f"{config.recipe} {current.run_id}", params)


def _keep_champion(current: Settings, name: str, folder: Path) -> None:
    """What the model in use measured, or a ``champion.json`` that names no version."""
    folder.mkdir()
    version = ""
    if current.mlflow_uri:
        from kosparse.adapters.review_mlflow import CHAMPION, MlflowReview

        registry = MlflowReview(current.mlflow_uri, name)
        try:
            found = registry.of_alias(CHAMPION)
            for file, content in registry.measured(found).items() if found else ():
                (folder / file).write_bytes(content)
            version = found.number if found else ""
        except InputError as error:
            progress.note(f"no champion to compare with: {error.what}")
    write_json(folder / "champion.json", {"name": name, "version": version})


def _versions() -> dict[str, str]:
    found = {"kosparse": kosparse.__version__, "python": platform.python_version()}
    for package in _REPORTED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
