"""A language model server on the cluster: started, watched and deleted through the Kubernetes API."""

from __future__ import annotations

from functools import partial
from typing import Any

from kosparse import progress
from kosparse.adapters import kubernetes_api
from kosparse.adapters.kubernetes_api import Namespace, hopeless
from kosparse.config import ServeLlmConfig
from kosparse.errors import ConfigError, ServiceError
from kosparse.llm import manifests
from kosparse.llm.checkpoint import published_precision
from kosparse.ports import LlmEndpoint

_RIGHTS = (
    "Let the run's ServiceAccount create, get and delete jobs and services, and get and list pods and pods/log "
    "(Role kosparse-llm-server)."
)


class KubernetesLlmServer:
    """One run's server: a Job and a Service in the run's namespace. All calls are idempotent."""

    def __init__(self, config: ServeLlmConfig, run_id: str, *, image: str, api_key: str = "") -> None:
        self.config, self.run_id, self.image, self._api_key = config, run_id, image, api_key
        self.name = manifests.server_name(run_id)
        self.namespace = Namespace.of_this_pod(_RIGHTS)

    def start(self) -> LlmEndpoint:
        """Create Job and Service unless they exist; a Job that has ended is replaced.

        Raises:
            ConfigError: A model or precision the server cannot have.
            ServiceError: Kubernetes refuses.
        """
        from kubernetes import client

        self._check_model()
        connection, owner, space = kubernetes_api.api(), self.namespace.workflow(), self.namespace.name
        batch, core = client.BatchV1Api(connection), client.CoreV1Api(connection)
        if self._has_ended():
            self._delete_job()
        job = manifests.job(self.config, self.run_id, self.image, owner)
        self.namespace.create("Job", partial(batch.create_namespaced_job, space, job))
        service = manifests.service(self.run_id, owner)
        self.namespace.create("Service", partial(core.create_namespaced_service, space, service))
        return LlmEndpoint(manifests.base_url(self.run_id), self.config.model, self._api_key)

    def check(self) -> None:
        """Nothing while the server may still come up.

        Raises:
            ServiceError: The Job has ended, or a pod waits for what nobody will bring; with the end of its log.
        """
        if reason := hopeless(self._pods()):
            raise self._failed(f"cannot start: {reason}")
        if self._has_ended():
            raise self._failed(f"has ended; its log ends with:\n{self.log()[-2000:]}")

    def log(self) -> str:
        """What the first pod has logged so far; empty when there is none or it may not be read."""
        try:
            pods = self._pods()
            return self.namespace.log(pods[0]) if pods else ""
        except ServiceError as error:
            progress.note(f"the language model server's log cannot be read: {error.what}")
            return ""

    def stop(self) -> bool:
        """Delete Job (with its pods) and Service; True when something was there."""
        from kubernetes import client

        job = self._delete_job()
        core = client.CoreV1Api(kubernetes_api.api())
        service = self.namespace.delete(
            f"service {self.name}", partial(core.delete_namespaced_service, self.name, self.namespace.name)
        )
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

    def _pods(self) -> list[Any]:
        return self.namespace.pods(f"{manifests.RUN_LABEL}={self.name}")

    def _has_ended(self) -> bool:
        """Whether the Job exists and has failed, been ended by its deadline, or completed."""
        from kubernetes import client
        from kubernetes.client.rest import ApiException

        batch = client.BatchV1Api(kubernetes_api.api())
        with self.namespace.told(f"show job {self.name}"):
            try:
                status = batch.read_namespaced_job(self.name, self.namespace.name).status
            except ApiException as error:
                if error.status == 404:
                    return False
                raise
        conditions = (status and status.conditions) or []
        return any(condition.type in ("Failed", "Complete") and condition.status == "True" for condition in conditions)

    def _delete_job(self) -> bool:
        from kubernetes import client

        delete = client.BatchV1Api(kubernetes_api.api()).delete_namespaced_job
        call = partial(delete, self.name, self.namespace.name, propagation_policy="Background")
        return self.namespace.delete(f"job {self.name}", call)

    def _failed(self, what: str) -> ServiceError:
        space = self.namespace.name
        return ServiceError(
            f"the language model server {what}",
            where=f"job {self.name} in namespace {space}",
            fix=f"kubectl -n {space} describe job,pod -l {manifests.RUN_LABEL}={self.name} tells more.",
        )
