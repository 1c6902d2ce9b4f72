"""The embedded MLflow: the real server from its own environment, SQLite behind it, artifacts in the S3 store.

Clients reach artifacts through the server (``mlflow-artifacts:/``), so they need no S3 credentials.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from kosparse.services.ports import LOOPBACK, free_port, retry_ports
from kosparse.services.process import Service

BUCKET = "mlflow"
_INSTALLED = Path(__file__).parents[2] / ".venvs" / "mlflow" / "bin" / "python"


class MlflowServer:
    """An MLflow server over a folder: ``with MlflowServer(folder) as mlflow: mlflow.uri``.

    The same folder gives the same experiments and models next time; only the port differs.

    Args:
        folder: Holds the database and the log.
        environment: Has ``S3_ENDPOINT``, ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY`` of the store, in
            which the bucket ``mlflow`` is made if need be; None means our own environment. Without
            ``S3_ENDPOINT`` artifacts are files below the folder.
        python: The environment's Python; by default ``MLFLOW_PYTHON``, then ``.venvs/mlflow`` of the project.

    Raises:
        ServiceError: Another run uses the folder, MLflow is not set up, or it does not come up; with its log.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        python: Path | None = None,
        ready_timeout: float = 300.0,
    ) -> None:
        self.folder = Path(folder).resolve()
        self.python = Path(python or os.environ.get("MLFLOW_PYTHON") or _INSTALLED)
        self.ready_timeout = ready_timeout
        self.uri = ""
        """``http://127.0.0.1:<port>`` once started."""
        self._given = dict(os.environ if environment is None else environment)
        self._service: Service | None = None

    def start(self) -> Self:
        """Start the server and return once it answers; the first start also makes the database."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ensure_bucket()
        retry_ports(self._start)
        return self

    def _ensure_bucket(self) -> None:
        from kosparse.adapters.store_s3 import S3Store

        get = self._given.get
        if endpoint := get("S3_ENDPOINT"):
            keys = get("AWS_ACCESS_KEY_ID", ""), get("AWS_SECRET_ACCESS_KEY", "")
            S3Store(endpoint, *keys, get("S3_REGION") or "us-east-1").ensure_bucket(BUCKET)

    def _start(self) -> None:
        port = free_port()
        self.uri = f"http://{LOOPBACK}:{port}"
        self._service = Service(
            "mlflow",
            self._command(port),
            ready_url=f"{self.uri}/health",
            folder=self.folder,
            environment=self._environment(),
            grace_seconds=4.0,  # the server ends at once, its launcher may take its time
        )
        self._service.start(uri=self.uri)
        self._service.wait_ready(self.ready_timeout)

    def _command(self, port: int) -> list[str]:
        store = f"s3://{BUCKET}/artifacts" if self._given.get("S3_ENDPOINT") else str(self.folder / "artifacts")
        address = ["--host", LOOPBACK, "--port", str(port), "--workers", "1"]
        kept = ["--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}", "--artifacts-destination", store]
        return [str(self.python), "-m", "mlflow", "server", *address, *kept, "--serve-artifacts"]

    def _environment(self) -> dict[str, str | None]:
        """Ours, less what would make the server a client of another one or find our packages."""
        ours = {name: None for name in os.environ if name.startswith("MLFLOW_") or name == "PYTHONPATH"}
        # The job runner is for GenAI evaluation: eight processes that poll and hold half a GB.
        quiet = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        store = {name: self._given.get(name) for name in names}
        region = self._given.get("S3_REGION") or "us-east-1"
        address = self._given.get("S3_ENDPOINT") or None
        return {**ours, **quiet, **store, "AWS_DEFAULT_REGION": region, "MLFLOW_S3_ENDPOINT_URL": address}

    def check(self) -> None:
        """Raise ServiceError when the server has died."""
        if self._service is not None:
            self._service.check()

    def stop(self) -> bool:
        """Stop the server; the data stay. True when it ran."""
        return self._service.stop() if self._service else False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        self.stop()
