"""Components in a container: each started by its own command from the compiled package, as Kubernetes would."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.image_host import check, hand_over, inside, timed
from kosparse.jsonl import read_json
from kosparse.services.mlflow import MlflowServer
from kosparse.services.s3 import BUCKET, S3Store
from pipelines import recipes
from pipelines.compile import PACKAGE
from tests.data.tiny_run import SETTINGS, write_tiny_run
from tests.fakes.launcher import StandInLauncher
from tests.fakes.llm_server import FakeLlmServer

RUN = "images-test"
PREFIX = f"v2/artifacts/kosparse/{RUN}"


@contextmanager
def services(folder: Path) -> Iterator[dict[str, str]]:
    """Object store, MLflow and the fake language model on loopback; the environment of who uses them."""
    key = secrets.token_urlsafe(16)
    with S3Store(folder / "s3") as store, FakeLlmServer(api_key=key) as llm:
        with MlflowServer(folder / "mlflow", {**os.environ, **store.environment}) as mlflow:
            yield {
                **store.environment,
                "MLFLOW_TRACKING_URI": mlflow.uri,
                "LLM_BASE_URL": llm.base_url,
                "LLM_MODEL": llm.model,
                "LLM_API_KEY": key,
                "KOSPARSE_RUN_ID": RUN,
                "KOSPARSE_EMBEDDER": "/tiny/encoder",
            }


class ImageLauncher(StandInLauncher):
    """The stand-in launcher, with the executor run in a container by the component's own command.

    Args:
        image: Name of the image.
        tiny: Folder with ``corpus/`` and ``encoder/``, seen as ``/tiny``.
        scratch: Every task finds a folder of its own here, empty but for its inputs, and a cache that is shared.
        environment: Names the services; without it there is no network.
    """

    def __init__(self, image: str, tiny: Path, scratch: Path, store: Any, environment: Mapping[str, str]) -> None:
        super().__init__(PACKAGE, store, scratch, seen_as=Path("/minio"))
        self.image, self.tiny, self.scratch, self.environment = image, tiny, scratch, environment
        self.cache = scratch / "cache"
        self.cache.mkdir()

    def run(self, task: str, parameters: dict[str, Any], inputs: dict[str, str], prefix: str) -> dict[str, str]:
        """Run one task in a folder of its own; every output must reach the store, but for metrics without any."""
        self.mount = self.scratch / task
        self.mount.mkdir()
        keys = super().run(task, parameters, inputs, prefix)
        for name in keys.keys() - {"metrics"}:
            check(bool(self.store.list(BUCKET, keys[name])), f"{task} uploaded no {name}")
        return keys

    def execute(self, container: dict[str, Any], executor_input: dict[str, Any]) -> None:
        """Run the container's command and arguments, as Kubernetes would."""
        given = json.dumps(executor_input)
        command = [given if word == "{{$}}" else word for word in [*container["command"], *container["args"]]]
        hand_over(self.mount)
        hand_over(self.cache)
        volumes = [f"{self.mount}:/minio", f"{self.tiny}:/tiny:ro", f"{self.cache}:/cache/kosparse"]
        network = "host" if self.environment else "none"
        inside(self.image, *command, volumes=volumes, network=network, environment=self.environment)


def run_alone(image: str) -> float:
    """Run ``ingest_corpus`` without any service or network; seconds."""
    with _launcher(image, {}) as launcher:
        return timed(_run, launcher, "ingest-corpus", _arguments())[1]


def run_graph(image: str, environment: Mapping[str, str]) -> dict[str, float]:
    """Run every task of the graph beside services, each after those it waits for; seconds by task."""
    with _launcher(image, environment) as launcher:
        seconds = {task: timed(_run, launcher, task, _arguments())[1] for task in launcher.order()}
        registration = launcher.scratch / "register-model" / BUCKET / PREFIX / "register-model" / "registration"
        check(read_json(registration)["alias"] == "challenger", "register_model registered no challenger")
        return seconds


def _arguments() -> dict[str, Any]:
    files = {"corpus": "", "queries": "/queries.jsonl", "qrels": "/qrels.tsv"}
    given = {name: f"/tiny/corpus{file}" for name, file in files.items()}
    return {**given, **recipes.arguments("smoke", [*SETTINGS, "prepare_backbone.model=/tiny/encoder"])}


def _run(launcher: ImageLauncher, task: str, given: Mapping[str, Any]) -> None:
    launcher.run(task, launcher.parameters(task, given), launcher.inputs(task, PREFIX), PREFIX)


@contextmanager
def _launcher(image: str, environment: Mapping[str, str]) -> Iterator[ImageLauncher]:
    """A launcher on the store that the environment names, or on one that only the launcher knows."""
    from kosparse.adapters.store_s3 import S3Store as Client

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the container's uid is not ours
        for needed in ("tiny", "scratch"):
            (folder / needed).mkdir()
        tiny = write_tiny_run(folder / "tiny")
        hand_over(tiny)
        with S3Store(folder / "s3") as own:
            given = environment or own.environment
            keys = given["S3_ENDPOINT"], given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"], given["S3_REGION"]
            yield ImageLauncher(image, tiny, folder / "scratch", Client(*keys), environment)
