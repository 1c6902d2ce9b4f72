"""The services of a local run: those the environment does not name are started here, on loopback.

``python -m pipelines.local_services`` (``make mlflow``) brings S3 store and MLflow up again on the data
that was kept, until Ctrl-C; followed by a command (``make review``), for as long as that command takes. With ``--llm``
(``make pairs``) the language model comes up as well.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from rich.console import Console

from kosparse import korean
from kosparse.commands.run_folder import hold
from kosparse.config import ServeLlmConfig
from kosparse.errors import KosparseError, ResourceError, ServiceError
from kosparse.settings import settings
from pipelines import outputs

_LLM = "--llm"


@contextmanager
def single_run(home: Path) -> Iterator[None]:
    """Hold the folder for one run.

    Raises:
        ResourceError: Another run holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    taken = ResourceError(
        "another run is using this folder", where=str(home), fix="Wait for it, or run in another clone."
    )
    with hold(home / "lock", taken):
        yield


class LocalServices:
    """S3 store, MLflow and language model of one run; a context manager.

    Args:
        folder: Where the services keep data and credentials between runs.
        run: The run's folder: logs and state of the language model server.
        serve_llm: Config of ``serve_llm``: which model is served, and how; None starts none.
        console: Where to say what is going on.
    """

    def __init__(self, folder: Path, run: Path, serve_llm: Mapping[str, Any] | None, console: Console) -> None:
        self.folder, self.run, self.serve_llm, self.console = folder, run, serve_llm, console
        self._stack = ExitStack()
        self._environment: dict[str, str] = {}

    @classmethod
    def of_home(cls, home: Path, serve_llm: Mapping[str, Any] | None = None) -> Self:
        """On the data of earlier runs; S3 store and MLflow only, unless it is said which language model to serve."""
        return cls(home / "services", home / "services", serve_llm, Console(stderr=True, highlight=False))

    def __enter__(self) -> Self:
        try:
            self._start_s3()
            if self.serve_llm is not None:
                self._start_llm(self.serve_llm)
            self._start_mlflow()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def environment(self) -> dict[str, str]:
        """What every step of the run needs in its environment."""
        return {
            **self._environment,
            "KOSPARSE_CACHE": str(settings().cache.resolve()),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")])),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "TOKENIZERS_PARALLELISM": "false",
        }

    def mirror(self, root: Path, run_id: str) -> int:
        """Copy a run's outputs to the S3 store; return how many files."""
        from kosparse.adapters.store_s3 import open_store

        with _environment(self._environment):
            return outputs.mirror(root, run_id, open_store())

    def end_tracking(self, run_id: str, *, failed: bool) -> None:
        """Close the run's record on the tracking server; one that cannot be reached is only told of."""
        from kosparse.adapters.tracking_mlflow import MlflowTracker

        uri = self._environment.get("MLFLOW_TRACKING_URI") or settings().mlflow_uri
        try:
            with _environment(self._environment):
                MlflowTracker(uri).end_run(run_id, failed=failed)
        except KosparseError as error:
            self.console.print(f"the record of this run stays open: {error.message}", markup=False)

    def _start_s3(self) -> None:
        current = settings()
        if current.s3_endpoint:
            self._say("S3", f"{current.s3_endpoint} (given)")
            return
        from kosparse.services.s3 import S3Store

        store = self._stack.enter_context(S3Store(self.folder / "s3"))
        self._environment |= store.environment
        self._say("S3", store.endpoint)

    def _start_mlflow(self) -> None:
        if settings().mlflow_uri:
            self._say("MLflow", f"{settings().mlflow_uri} (given)")
            return
        from kosparse.services.mlflow import MlflowServer

        with _environment(self._environment):
            server = self._stack.enter_context(MlflowServer(self.folder / "mlflow"))
        self._environment["MLFLOW_TRACKING_URI"] = server.uri
        self._say("MLflow", server.uri)

    def _start_llm(self, config: Mapping[str, Any]) -> None:
        """A given endpoint, else vLLM on this machine, else the model inside each step's process."""
        current = settings()
        if current.llm_base_url:
            _check_answers(current.llm_base_url)
            self._say("LLM", f"{current.llm_model or 'the served model'} at {current.llm_base_url} (given)")
            return
        from kosparse.models import resolve
        from kosparse.services.vllm import VllmServer, can_run

        model = str(resolve(current.llm_model or config["model"]))
        able, reason = can_run()
        if not able:
            self._say("LLM", f"{model} inside each step, by transformers: {reason}")
            self._environment |= {"LLM_BACKEND": "transformers", "LLM_MODEL": model}
            return
        server = VllmServer(self.run, model, max_model_length=int(config["max_model_length"]))
        self._stack.callback(server.stop)
        server.start(wait=False)  # loading takes a minute, meanwhile the first steps run; serve_llm waits for it
        self._environment |= server.environment
        self._say("LLM", f"{server.model} by vLLM at {server.base_url}")

    def _say(self, what: str, text: str) -> None:
        self.console.print(f"{what:9} {text}", markup=False, soft_wrap=True)


def _check_answers(base_url: str) -> None:
    """Fail at once, not when the first step asks, where nobody listens; any answer at all will do."""
    try:
        urllib.request.urlopen(f"{base_url.rstrip('/')}/models", timeout=10).close()
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        raise ServiceError(
            f"the language model cannot be reached: {getattr(error, 'reason', error)}",
            where=base_url,
            fix="Check LLM_BASE_URL and that the server runs, or unset it to start one here.",
        ) from error


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def main(command: Sequence[str] = (), home: Path = Path(".kosparse")) -> int:
    """Keep the services up until the command ends, or Ctrl-C when there is none; return the exit status."""
    served = ServeLlmConfig.defaults() if command[:1] == [_LLM] else None
    command = command[1:] if served else command
    try:
        if command and settings().mlflow_uri and not served:
            return subprocess.run(command, check=False).returncode
        with single_run(home), LocalServices.of_home(home.resolve(), served) as services:
            if command:
                return subprocess.run(command, check=False, env={**os.environ, **services.environment()}).returncode
            print(f"open {services.environment().get('MLFLOW_TRACKING_URI', settings().mlflow_uri)} (Ctrl-C stops it)")
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    except KosparseError as error:
        print(f"kosparse: {korean.message(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
