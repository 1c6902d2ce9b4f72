"""MLflow's REST API, as far as runs need it.

``import mlflow`` costs seconds of processor time, which every step of a run would pay. So steps speak to
the server directly (docs/adr/0008), and only registering a model imports the library.
"""

from __future__ import annotations

import os
import re
from typing import Any

import httpx

from kosparse.errors import ServiceError

_CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
"""What a client waits for an answer, unless it is told otherwise."""
_ATTEMPTS = 3
_OLDEST = (3, 0)
"""Of the server: models are logged as MLflow 3 keeps them, on their own and not as files of a run."""


class Refused(Exception):
    """The server answered with an error; ``code`` is MLflow's, such as ``RESOURCE_DOES_NOT_EXIST``."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class MlflowRest:
    """Calls of ``/api/2.0/mlflow``, as JSON objects.

    Credentials come from the address (``http://user:password@host``) or from MLflow's own variables
    ``MLFLOW_TRACKING_USERNAME`` with ``MLFLOW_TRACKING_PASSWORD``, ``MLFLOW_TRACKING_TOKEN``,
    ``MLFLOW_TRACKING_INSECURE_TLS`` and ``MLFLOW_TRACKING_SERVER_CERT_PATH``.

    Args:
        uri: Address of the server, ``http://`` or ``https://``.
        patience: Seconds to wait for an answer.

    Raises:
        ServiceError: It is no address, or nobody answers there.
    """

    def __init__(self, uri: str, patience: float = ANSWER_SECONDS) -> None:
        self.uri = uri.rstrip("/")
        if not self.uri.startswith(("http://", "https://")):
            raise ServiceError(
                "not the address of a tracking server",
                where=f"MLFLOW_TRACKING_URI={shown(uri)}",
                fix="It looks like http://mlflow.kubeflow:5000.",
            )
        try:
            self._client = httpx.Client(
                base_url=f"{self.uri}/",
                headers=_bearer(),
                auth=_basic(),
                verify=_verify(),
                timeout=httpx.Timeout(patience, connect=_CONNECT_SECONDS),
                transport=httpx.HTTPTransport(retries=_ATTEMPTS - 1, verify=_verify()),
            )
            self._client.get("health", timeout=_CONNECT_SECONDS)  # any answer at all will do
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self.uri, error) from error

    def check_version(self) -> None:
        """Make sure the server is new enough; one that does not say how old it is passes.

        Raises:
            ServiceError: It is older than what models are registered with.
        """
        try:
            told = self._client.get("version", timeout=_CONNECT_SECONDS).text.strip()
        except httpx.HTTPError as error:
            raise unreachable(self.uri, error) from error
        found = re.match(r"(\d+)\.(\d+)\.", told)
        if found and (int(found[1]), int(found[2])) < _OLDEST:
            raise ServiceError(
                f"the tracking server is MLflow {told[:20]}",
                where=f"MLFLOW_TRACKING_URI={shown(self.uri)}",
                fix=f"Models are registered with {'.'.join(map(str, _OLDEST))} or newer: upgrade it, or name another.",
            )

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """Ask for an object.

        Raises:
            Refused: The server says no.
            ServiceError: It does not answer, or is no MLflow.
        """
        return self._call("GET", path, params=params)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Change something; errors as for ``get``."""
        return self._call("POST", path, json=body)

    def delete(self, path: str, **body: Any) -> dict[str, Any]:
        """Take something away; errors as for ``get``."""
        return self._call("DELETE", path, json=body)

    def download(self, run_id: str, path: str) -> bytes | None:
        """A file logged with a run, or None when the run has no such file.

        Raises:
            ServiceError: The server does not answer, or refuses us.
        """
        try:
            response = self._client.get("get-artifact", params={"run_uuid": run_id, "path": path})
        except httpx.HTTPError as error:
            raise unreachable(self.uri, error) from error
        if response.is_success:
            return response.content
        if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise unreachable(self.uri, ValueError(f"{response.status_code} for {path}"))
        return None

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            response = self._client.request(method, f"api/2.0/mlflow/{path}", **arguments)
        except httpx.HTTPError as error:
            raise unreachable(self.uri, error) from error
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise unreachable(self.uri, ValueError(f"{path} answered {response.status_code}, and no JSON object"))
        if response.is_error:
            raise Refused(str(answer.get("error_code", response.status_code)), str(answer.get("message", ""))[:300])
        return answer


def unreachable(uri: str, error: Exception) -> ServiceError:
    """What to tell when the server fails us: the cause at the end of a client's long message."""
    text = str(error) or type(error).__name__
    reason = text[max(text.rfind("Caused by"), 0) :][:300]
    return ServiceError(
        f"the tracking server does not answer or refuses: {reason}",
        where=f"MLFLOW_TRACKING_URI={shown(uri)}",
        fix="Check that it runs (make mlflow), its address, credentials and version; then run this step again.",
    )


def shown(uri: str) -> str:
    """An address without the password that may stand in it."""
    return re.sub(r"//[^/@]*@", "//", uri)


def _basic() -> httpx.BasicAuth | None:
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD"))
    return httpx.BasicAuth(user, password) if user else None


def _bearer() -> dict[str, str]:
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _verify() -> Any:
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        return False
    certificate = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    if not certificate:
        return True
    import ssl

    return ssl.create_default_context(cafile=certificate)
