"""Kubeflow Pipelines as far as we use it: connect, upload a version, start, schedule, follow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from kosparse.errors import ConfigError, KosparseError, ServiceError

FINISHED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_IN_CLUSTER = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
_POD_TOKEN = "/var/run/secrets/kubeflow/pipelines/token"
_OLDEST = (2, 0)
_SILENT_LOOKS = 5
"""Looks at a run in a row that may fail before it is given up."""


class Cluster:
    """One Kubeflow Pipelines server.

    Who we are comes from the environment: ``KFP_TOKEN`` (sent as bearer token), ``KFP_COOKIE`` (such as
    ``authservice_session=...``), or in a pod its projected service account token.

    Args:
        host: Address of the API or of the UI in front of it; empty inside a cluster.
        namespace: Whose runs; needed where Kubeflow has many users.

    Raises:
        ConfigError: No host, or no namespace where one is needed.
        ServiceError: Nobody answers there, or refuses us, or is no KFP 2 server.
    """

    def __init__(self, host: str, namespace: str = "") -> None:
        self.host, self.namespace = _address(host), namespace
        token, cookie = _credentials()
        health = _probe(self.host, token, cookie)
        if health.get("multi_user") and not namespace:
            raise ConfigError(
                "this Kubeflow has many users, and no namespace is given", where="NAMESPACE", fix="Add NAMESPACE=..."
            )
        import kfp

        with self._told():
            self._client = kfp.Client(
                host=self.host,
                namespace=namespace or "kubeflow",
                existing_token=token or None,
                cookies=cookie or None,
                ui_host=self.host,
            )

    def upload(self, package: Path, name: str, version: str) -> tuple[str, str]:
        """Ids of the pipeline and of the version of these names, uploaded unless the server has them."""
        with self._told():
            pipeline = self._client.get_pipeline_id(name)
            if pipeline is None:
                namespace = self.namespace or None
                pipeline = self._client.upload_pipeline(str(package), name, namespace=namespace).pipeline_id
            known = self._client.list_pipeline_versions(pipeline, page_size=100, sort_by="created_at desc")
            for found in known.pipeline_versions or []:
                if found.display_name == version:
                    return pipeline, found.pipeline_version_id
            uploaded = self._client.upload_pipeline_version(str(package), version, pipeline_id=pipeline)
            return pipeline, uploaded.pipeline_version_id

    def start(
        self, ids: tuple[str, str], name: str, parameters: Mapping[str, Any], *, experiment: str, service_account: str
    ) -> str:
        """Start a run of an uploaded version; its id."""
        with self._told():
            run = self._client.run_pipeline(
                self._experiment(experiment),
                name,
                params=dict(parameters),
                pipeline_id=ids[0],
                version_id=ids[1],
                service_account=service_account or None,
            )
        return str(run.run_id)

    def schedule(
        self,
        ids: tuple[str, str],
        name: str,
        parameters: Mapping[str, Any],
        *,
        cron: str,
        experiment: str,
        service_account: str,
    ) -> str:
        """Run an uploaded version again and again, never two at once; the recurring run's id.

        Args:
            ids: From ``upload``.
            name: Shown in the UI.
            parameters: Of the pipeline.
            cron: Six fields, seconds first: ``0 0 3 * * 0`` is Sunday at three.
            experiment: Made when it is new.
            service_account: Of the run's pods; empty takes the server's default.
        """
        if len(cron.split()) != 6:
            raise ConfigError(
                f"not a schedule: {cron!r}",
                where="CRON",
                fix="Six fields, seconds first: '0 0 3 * * 0' is Sunday at 3:00.",
            )
        with self._told():
            made = self._client.create_recurring_run(
                self._experiment(experiment),
                name,
                cron_expression=cron,
                max_concurrency=1,
                no_catchup=True,
                params=dict(parameters),
                pipeline_id=ids[0],
                version_id=ids[1],
                service_account=service_account or None,
            )
        return str(made.recurring_run_id)

    def follow(self, run_id: str, show: Callable[[str], None], *, every: float = 10.0) -> str:
        """Show each task's state as it changes; return the run's last state, one of ``FINISHED``.

        Raises:
            ServiceError: The server could not be asked several times in a row; the run goes on.
        """
        seen: dict[str, str] = {}
        failures = 0
        while True:
            try:
                with self._told():
                    run = self._client.get_run(run_id)
                failures = 0
            except ServiceError:
                failures += 1
                if failures >= _SILENT_LOOKS:
                    raise
                time.sleep(every)
                continue
            for task in (run.run_details.task_details if run.run_details else None) or []:
                if task.state and seen.get(task.task_id) != task.state:
                    seen[task.task_id] = task.state
                    show(f"{task.display_name}: {task.state.lower()}")
            if run.state in FINISHED:
                return str(run.state)
            time.sleep(every)

    def run_page(self, run_id: str) -> str:
        """The run in the UI."""
        return f"{self.host}/#/runs/details/{run_id}"

    def schedule_page(self, recurring_run_id: str) -> str:
        """The recurring run in the UI."""
        return f"{self.host}/#/recurringrun/details/{recurring_run_id}"

    def _experiment(self, name: str) -> str:
        return str(self._client.create_experiment(name, namespace=self.namespace or None).experiment_id)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the client raises into one line that says what to do."""
        import kfp_server_api

        try:
            yield
        except KosparseError:
            raise
        except kfp_server_api.ApiException as error:
            raise _refused(
                self.host, int(error.status or 0), str(error.body or error.reason), self.namespace
            ) from error
        except Exception as error:  # the client raises its HTTP layer's errors as they are
            reason = str(error).strip().split("\n", 1)[0]
            raise ServiceError(
                f"Kubeflow Pipelines cannot be used: {type(error).__name__}: {reason}",
                where=self.host,
                fix="Check HOST and the network; what was sent before is kept there.",
            ) from error


def _address(host: str) -> str:
    if host:
        return (host if host.startswith(("http://", "https://")) else f"https://{host}").rstrip("/")
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return _IN_CLUSTER
    raise ConfigError("no Kubeflow is named", where="HOST", fix="Add HOST=https://kubeflow.example/pipeline.")


def _credentials() -> tuple[str, str]:
    """Bearer token and cookie; empty where there are none."""
    token = os.environ.get("KFP_TOKEN", "")
    mounted = Path(os.environ.get("KF_PIPELINES_SA_TOKEN_PATH", _POD_TOKEN))
    if not token and mounted.is_file():
        token = mounted.read_text(encoding="utf-8").strip()
    return token, os.environ.get("KFP_COOKIE", "")


def _probe(host: str, token: str, cookie: str) -> dict[str, Any]:
    """What the server says of itself, asked once: the client would try for half a minute and log every failure."""
    headers = ({"Authorization": f"Bearer {token}"} if token else {}) | ({"Cookie": cookie} if cookie else {})
    try:
        answer = httpx.get(f"{host}/apis/v2beta1/healthz", headers=headers, timeout=20.0)
    except httpx.HTTPError as error:
        certificate = "certificate" in str(error).lower()
        raise ServiceError(
            f"Kubeflow cannot be reached: {error}",
            where=host,
            fix="Put the certificate's authority into SSL_CERT_FILE." if certificate else "Check HOST and the network.",
        ) from error
    if answer.status_code != 200:
        raise _refused(host, answer.status_code, answer.text, "")
    try:
        found = dict(answer.json())
    except ValueError as error:
        raise ServiceError(
            "the host answers with a web page, most likely a login",
            where=host,
            fix="Set KFP_TOKEN or KFP_COOKIE, or take the address of the API behind the login.",
        ) from error
    version = str(found.get("tag_name", ""))
    numbers = tuple(int(part) for part in version.lstrip("v").split(".")[:2] if part.isdigit())
    if len(numbers) == 2 and numbers < _OLDEST:
        raise ServiceError(
            f"the server is Kubeflow Pipelines {version}; the package needs 2.0 or newer, 2.14 is what it was made for",
            where=host,
            fix="Upgrade Kubeflow Pipelines.",
        )
    return found


def _refused(host: str, status: int, body: str, namespace: str) -> ServiceError:
    about = f" in namespace {namespace}" if namespace else ""
    line = " ".join(body.split())[:200]
    if status in (301, 302, 303, 307, 308, 401):
        what, fix = (
            "Kubeflow does not know us: the token or cookie is missing or has expired",
            "Renew KFP_TOKEN or KFP_COOKIE.",
        )
    elif status == 403:
        what, fix = (
            f"Kubeflow does not allow this{about}: {line}",
            "Check NAMESPACE, and that you may create runs in it.",
        )
    elif status == 404:
        what = f"there is no Kubeflow Pipelines 2 API here: {line}"
        fix = "HOST is the address of its API or UI, such as https://kubeflow.example/pipeline."
    else:
        what, fix = f"Kubeflow did not take it (status {status}){about}: {line}", "See the message; check NAMESPACE."
    return ServiceError(what, where=host, fix=fix)
