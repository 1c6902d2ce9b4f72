"""One real run of the whole compiled graph, shared by the tests that look at it.

Real: the compiled package, ``kfp.local``, the S3 store, MLflow, every step. Small: the collection (40
short documents) and the encoder (a random two-layer BERT). Fake: the language model server, which
speaks the OpenAI protocol over HTTP.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.data.tiny_run import SETTINGS, write_tiny_run
from tests.fakes.llm_server import FakeLlmServer

LLM_KEY = "planted-llm-key-5d1c"


@dataclass(frozen=True)
class FinishedRun:
    """A run and what it ran with."""

    folder: Path
    home: Path
    summary: dict
    environment: dict[str, str]

    def output(self, task: str, artifact: str) -> Path:
        return next((self.folder / "outputs").glob(f"*/{task.replace('_', '-')}/{artifact}"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A folder with ``corpus/`` (BEIR) and ``encoder/``."""
    return write_tiny_run(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def llm_server() -> Iterator[FakeLlmServer]:
    with FakeLlmServer(api_key=LLM_KEY) as server:
        yield server


@pytest.fixture(scope="session")
def environment(tiny, llm_server, tmp_path_factory) -> Iterator[dict[str, str]]:
    """The environment of a run that talks to the fakes; set for this process too."""
    values = {
        "KOSPARSE_CACHE": str(tmp_path_factory.mktemp("cache")),
        "KOSPARSE_EMBEDDER": str(tiny / "encoder"),
        "LLM_BASE_URL": llm_server.base_url,
        "LLM_MODEL": llm_server.model,
        "LLM_API_KEY": LLM_KEY,
        "S3_ENDPOINT": "",
        "MLFLOW_TRACKING_URI": "",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    yield values
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="session")
def settings_of_run(tiny) -> list[str]:
    return [*SETTINGS, f"prepare_backbone.model={tiny / 'encoder'}"]


@pytest.fixture(scope="session")
def finished_run(tiny, environment, settings_of_run, tmp_path_factory) -> FinishedRun:
    from pipelines.run_local import run_pipeline

    home = tmp_path_factory.mktemp("home") / ".kosparse"
    corpus = tiny / "corpus"
    folder = run_pipeline(
        recipe="smoke",
        corpus=str(corpus),
        queries=str(corpus / "queries.jsonl"),
        qrels=str(corpus / "qrels.tsv"),
        overrides=settings_of_run,
        home=home,
    )
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return FinishedRun(folder, home, summary, environment)


@pytest.fixture(scope="session")
def services(finished_run) -> Iterator[dict[str, str]]:
    """The services of the finished run, up again on its data; their environment, set for this process too."""
    from pipelines.local_services import LocalServices

    with LocalServices.of_home(finished_run.home) as running, pytest.MonkeyPatch.context() as patch:
        environment = running.environment()
        for name, value in environment.items():
            patch.setenv(name, value)
        yield environment
