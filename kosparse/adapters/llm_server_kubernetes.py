"""A language model server on the cluster: started, watched and deleted through the Kubernetes API."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from kosparse import progress
from kosparse.config import ServeLlmConfig
from kosparse.errors import ConfigError, ServiceError
from kosparse.llm import manifests
from kosparse.llm.checkpoint import published_precision
from kosparse.ports import LlmEndpoint

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_HOPELESS = ("ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError")
"""Reasons for which a pod waits and nothing but a person can help."""
_LOG_BYTES = 1_000_000


class KubernetesLlmServer:
    """One run's server: a Job and a Service in the run's namespace. All calls are idempotent."""

    def __init__(self, config: ServeLlmConfig, run_id: str, *, image: str, api_key: str = "") -> None:
        self.config, self.run_id, self.image, self._api_key = config, run_id, image, api_key
        self.name = manifests.server_name(run_id)
        self.namespace = os.environ.get("POD_NAMESPACE") or _own_namespace()

    def start(self) -> LlmEndpoint:
        """Create Job and Service unless they exist; a Job that has ended is replaced.

        Raises:
            ConfigError: A model or precision the server cannot have.
            ServiceError: Kubernetes refuses.
        """
        from kubernetes import client

        self._check_model()
        batch, core, owner = client.BatchV1Api(_api()), client.CoreV1Api(_api()), self._owner()
        if self._has_ended(batch):
            self._delete(batch.delete_namespaced_job, self.name, propagation_policy="Background")
        self._create(batch.create_namespaced_job, manifests.job(self.config, self.run_id, self.image, owner))
        self._create(core.create_namespaced_service, manifests.service(self.run_id, owner))
        return LlmEndpoint(manifests.base_url(self.run_id), self.config.model, self._api_key)

    def check(self) -> None:
        """Nothing while the server may still come up.

        Raises:
            ServiceError: The Job has ended, or a pod waits for what nobody will bring; with the end of its log.
        """
        from kubernetes import client

        for pod in self._pods():
            waiting = [status.state.waiting for status in pod.status.container_statuses or [] if status.state.waiting]
            for state in waiting:
                if state.reason in _HOPELESS:
                    raise self._failed(f"cannot start: {state.reason}: {state.message or ''}".rstrip(": "))
        if self._has_ended(client.BatchV1Api(_api())):
            raise self._failed(f"has ended; its log ends with:\n{self.log()[-2000:]}")

    def log(self) -> str:
        """What the first pod has logged so far; empty when there is none or it may not be read."""
        from kubernetes import client
        from kubernetes.client.rest import ApiException

        try:
            for pod in self._pods():
                name = pod.metadata.name
                text = client.CoreV1Api(_api()).read_namespaced_pod_log(
                    name, self.namespace, limit_bytes=_LOG_BYTES, _preload_content=False
                )
                return str(text.data.decode("utf-8", "replace"))
        except ApiException as error:
            progress.note(f"the language model server's log cannot be read: {error.status} {error.reason}")
        return ""

    def stop(self) -> bool:
        """Delete Job (with its pods) and Service; True when something was there."""
        from kubernetes import client

        batch, core = client.BatchV1Api(_api()), client.CoreV1Api(_api())
        job = self._delete(batch.delete_namespaced_job, self.name, propagation_policy="Background")
        service = self._delete(core.delete_namespaced_service, self.name)
        return job or service

    def _check_model(self) -> None:
        model, asked = self.config.model, self.config.quantization
        if model.startswith("packaged:"):
            raise ConfigError(
                f"a cluster cannot serve {model!r}: packaged models are for one machine",
                where="serve_llm.model",
                fix="Name a hub id or a folder of the server, such as openai/gpt-oss-20b, or set LLM_BASE_URL.",
            )
        published = published_precision(model)
        if published and published != asked:
            raise ConfigError(
                f"{model} is published in {published}, and vLLM serves it so whatever is asked; asked is {asked}",
                where="serve_llm.quantization",
                fix=f"Set serve_llm.quantization={published}, or name a checkpoint published as {asked}.",
            )

    def _owner(self) -> manifests.Owner | None:
        """The Workflow that owns this pod: when it goes, so does the server."""
        from kubernetes import client
        from kubernetes.client.rest import ApiException

        try:
            pod = client.CoreV1Api(_api()).read_namespaced_pod(socket.gethostname(), self.namespace)
        except ApiException as error:
            progress.note(f"the language model server has no owner but its deadline: {error.status} {error.reason}")
            return None
        owners = pod.metadata.owner_references or []
        found = next((owner for owner in owners if owner.kind == "Workflow"), None)
        if found is None:
            return None
        return {"apiVersion": found.api_version, "kind": found.kind, "name": found.name, "uid": found.uid}

    def _pods(self) -> list[Any]:
        from kubernetes import client

        label = f"{manifests.RUN_LABEL}={self.name}"
        pods: list[Any] = client.CoreV1Api(_api()).list_namespaced_pod(self.namespace, label_selector=label).items
        return pods

    def _has_ended(self, batch: Any) -> bool:
        """Whether the Job exists and has failed, been ended by its deadline, or completed."""
        from kubernetes.client.rest import ApiException

        try:
            status = batch.read_namespaced_job(self.name, self.namespace).status
        except ApiException as error:
            if error.status == 404:
                return False
            raise self._refused(f"show job {self.name}", error) from error
        conditions = (status and status.conditions) or []
        return any(condition.type in ("Failed", "Complete") and condition.status == "True" for condition in conditions)

    def _create(self, create: Any, body: dict[str, Any]) -> None:
        from kubernetes.client.rest import ApiException

        try:
            create(self.namespace, body)
        except ApiException as error:
            if error.status != 409:  # it exists: start is idempotent
                raise self._refused(f"create {body['kind']}", error) from error

    def _delete(self, delete: Any, name: str, **options: str) -> bool:
        from kubernetes.client.rest import ApiException

        try:
            delete(name, self.namespace, **options)
        except ApiException as error:
            if error.status == 404:
                return False
            raise self._refused(f"delete {name}", error) from error
        return True

    def _failed(self, what: str) -> ServiceError:
        return ServiceError(
            f"the language model server {what}",
            where=f"job {self.name} in namespace {self.namespace}",
            fix=f"kubectl -n {self.namespace} describe job,pod -l {manifests.RUN_LABEL}={self.name} tells more.",
        )

    def _refused(self, what: str, error: Any) -> ServiceError:
        return ServiceError(
            f"Kubernetes did not {what}: {error.status} {error.reason}",
            where=f"namespace {self.namespace}",
            fix="Let the run's ServiceAccount create, get and delete jobs and services, and get and list pods "
            "and pods/log.",
        )


def _api() -> Any:
    from kubernetes import client, config

    config.load_incluster_config()
    return client.ApiClient()


def _own_namespace() -> str:
    return _NAMESPACE_FILE.read_text(encoding="utf-8").strip() if _NAMESPACE_FILE.exists() else "kubeflow"
