"""A run's own namespace, asked through the Kubernetes API: what adapters that start something there share."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kosparse import progress
from kosparse.errors import ServiceError
from kosparse.llm.manifests import Owner

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_HOPELESS = ("ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError")
"""Reasons for which a pod waits and nothing but a person can help."""
_LOG_BYTES = 1_000_000


_NOT_NOW = (0, 429)
"""Statuses of answers that did not come, or that may be asked for again later; those from 500 on are others."""
_LOOK = "Look at the API server, and at the network policy kosparse-steps."


class Silent(ServiceError):
    """Kubernetes does not answer, or not now: a moment later it may."""

    def __init__(self, what: str, where: str, fix: str) -> None:
        super().__init__(what, where=where, fix=fix)


@dataclass(frozen=True)
class Namespace:
    """One namespace, as the account of this pod sees it.

    Args:
        name: Of the namespace.
        rights: What the account must be allowed; told where it is not.
    """

    name: str
    rights: str

    @classmethod
    def of_this_pod(cls, rights: str) -> Namespace:
        """The one this process runs in."""
        own = _NAMESPACE_FILE.read_text(encoding="utf-8").strip() if _NAMESPACE_FILE.exists() else "kubeflow"
        return cls(os.environ.get("POD_NAMESPACE") or own, rights)

    def this_pod(self) -> Any | None:
        """The pod this process runs in; None, and a line that says why, when it cannot be read."""
        from kubernetes import client
        from kubernetes.client.rest import ApiException

        try:
            return client.CoreV1Api(api()).read_namespaced_pod(socket.gethostname(), self.name)
        except ApiException as error:
            progress.note(f"this step's own pod cannot be read: {error.status} {error.reason}")
            return None

    def workflow(self) -> Owner | None:
        """The Workflow that owns this pod: what it owns too goes when it goes. None where there is none."""
        pod = self.this_pod()
        owners = (pod.metadata.owner_references if pod else None) or []
        found = next((owner for owner in owners if owner.kind == "Workflow"), None)
        if found is None:
            progress.note("what this step starts has no owner but its own deadline")
            return None
        return {"apiVersion": found.api_version, "kind": found.kind, "name": found.name, "uid": found.uid}

    def pods(self, label: str) -> list[Any]:
        """Pods with a label (``key=value``).

        Raises:
            ServiceError: Kubernetes refuses.
        """
        from kubernetes import client

        with self.told("list pods"):
            found: list[Any] = client.CoreV1Api(api()).list_namespaced_pod(self.name, label_selector=label).items
        return found

    def log(self, pod: Any) -> str:
        """What a pod has logged so far.

        Raises:
            ServiceError: Kubernetes refuses.
        """
        from kubernetes import client

        with self.told(f"show the log of {pod.metadata.name}"):
            text = client.CoreV1Api(api()).read_namespaced_pod_log(
                pod.metadata.name, self.name, limit_bytes=_LOG_BYTES, _preload_content=False
            )
        return str(text.data.decode("utf-8", "replace"))

    def create(self, what: str, call: Callable[[], Any]) -> bool:
        """Create an object; False when it exists.

        Raises:
            ServiceError: Kubernetes refuses.
        """
        with self.told(f"create {what}"):
            return self._unless(409, call)

    def delete(self, what: str, call: Callable[[], Any]) -> bool:
        """Delete an object; False when there is none.

        Raises:
            ServiceError: Kubernetes refuses.
        """
        with self.told(f"delete {what}"):
            return self._unless(404, call)

    @contextmanager
    def told(self, what: str) -> Iterator[None]:
        """Turn the client's errors into ours: what was asked, what Kubernetes says, what to do."""
        from kubernetes.client.rest import ApiException
        from urllib3.exceptions import HTTPError

        where = f"namespace {self.name}"
        try:
            yield
        except ApiException as error:
            if error.status >= 500 or error.status in _NOT_NOW:
                said = f"{error.status} {_reason(error)}"
                raise Silent(f"Kubernetes does not {what} now: {said}", where, _LOOK) from error
            raise ServiceError(
                f"Kubernetes did not {what}: {error.status} {_reason(error)}", where=where, fix=self.rights
            ) from error
        except HTTPError as error:
            raise Silent(f"Kubernetes did not {what}: no answer: {str(error)[:300]}", where, _LOOK) from error

    @staticmethod
    def _unless(status: int, call: Callable[[], Any]) -> bool:
        from kubernetes.client.rest import ApiException

        try:
            call()
        except ApiException as error:
            if error.status != status:
                raise
            return False
        return True


def api() -> Any:
    """A client with this pod's token, as it is now: tokens are renewed."""
    from kubernetes import client, config

    config.load_incluster_config()
    return client.ApiClient()


def hopeless(pods: Iterable[Any]) -> str:
    """For what a pod waits that nobody will bring, such as an image that cannot be pulled; empty for none."""
    for pod in pods:
        for status in pod.status.container_statuses or []:
            state = status.state.waiting
            if state and state.reason in _HOPELESS:
                return f"{state.reason}: {state.message or ''}".rstrip(": ")
    return ""


def _reason(error: Any) -> str:
    """What the API server, or a webhook behind it, says in its answer."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, LookupError):
        return str(error.reason)
