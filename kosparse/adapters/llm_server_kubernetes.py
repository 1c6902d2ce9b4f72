"""A language model server on the cluster: started and deleted through the Kubernetes API."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kosparse.config import ServeLlmConfig
from kosparse.errors import ConfigError, ServiceError
from kosparse.llm import manifests
from kosparse.ports import LlmEndpoint

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class KubernetesLlmServer:
    """One run's server: a Job and a Service in the run's namespace. Both calls are idempotent."""

    def __init__(self, config: ServeLlmConfig, run_id: str, *, image: str, api_key: str = "") -> None:
        self.config, self.run_id, self.image, self._api_key = config, run_id, image, api_key
        self.namespace = os.environ.get("POD_NAMESPACE") or _own_namespace()

    def start(self) -> LlmEndpoint:
        """Create Job and Service unless they exist; the address answers once the model is loaded."""
        from kubernetes import client

        if self.config.model.startswith("packaged:"):
            raise ConfigError(
                f"a cluster cannot serve {self.config.model!r}: packaged models are for one machine",
                where="serve_llm.model",
                fix="Name a hub id or a folder of the server, such as openai/gpt-oss-20b, or set LLM_BASE_URL.",
            )
        job, service = manifests.job(self.config, self.run_id, self.image), manifests.service(self.run_id)
        self._create(client.BatchV1Api(_api()).create_namespaced_job, job)
        self._create(client.CoreV1Api(_api()).create_namespaced_service, service)
        name = manifests.server_name(self.run_id)
        address = f"http://{name}.{self.namespace}.svc:{manifests.PORT}/v1"
        return LlmEndpoint(address, self.config.model, self._api_key)

    def check(self) -> None:
        """Kubernetes starts a pod that ends once more; ``backoffLimit`` ends the Job."""

    def stop(self) -> bool:
        """Delete Job (with its pods) and Service; True when something was there."""
        from kubernetes import client

        name = manifests.server_name(self.run_id)
        batch, core = client.BatchV1Api(_api()), client.CoreV1Api(_api())
        job = self._delete(batch.delete_namespaced_job, name, propagation_policy="Background")
        service = self._delete(core.delete_namespaced_service, name)
        return job or service

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

    def _refused(self, what: str, error: Any) -> ServiceError:
        return ServiceError(
            f"Kubernetes did not {what}: {error.status} {error.reason}",
            where=f"namespace {self.namespace}",
            fix="Let the run's ServiceAccount create and delete jobs and services (k8s/base/rbac.yaml).",
        )


def _api() -> Any:
    from kubernetes import client, config

    config.load_incluster_config()
    return client.ApiClient()


def _own_namespace() -> str:
    return _NAMESPACE_FILE.read_text(encoding="utf-8").strip() if _NAMESPACE_FILE.exists() else "kubeflow"
