"""A training on several nodes: a TrainJob of Kubeflow's Trainer, started, waited for and taken away."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from kosparse import progress
from kosparse.adapters import kubernetes_api
from kosparse.adapters.kubernetes_api import Namespace, Silent, hopeless
from kosparse.adapters.train_job import GROUP, NODE_NAME, PLURAL, VERSION, run_label, train_job
from kosparse.config import TrainSparseConfig
from kosparse.errors import ConfigError, ServiceError
from kosparse.llm.manifests import RUN_LABEL

_RIGHTS = (
    "Install Kubeflow's Trainer 2 and k8s/components/trainer (docs/operations.md), and let the run's ServiceAccount "
    "create, delete, get and list trainjobs, and get and list pods and pods/log (Role kosparse-train)."
)
_PODS_OF = "jobset.sigs.k8s.io/jobset-name"
"""Trainer makes a JobSet of the TrainJob's name, and JobSet labels its pods with it."""
_LOOK_SECONDS = 5.0
_SILENT_LOOKS = 24
"""Looks in a row that may fail before a training is given up: the API server may be away for two minutes."""
_LOG_END = 2000
"""Characters of a failed node's log that an error shows."""


class KubernetesTrainJob:
    """One TrainJob of one run. Its name is new each time, so that no earlier attempt is taken for it."""

    def __init__(self, config: TrainSparseConfig, run_id: str) -> None:
        self.config, self.run_id = config, run_id
        self.name = f"{NODE_NAME}-{secrets.token_hex(6)}"
        self.namespace = Namespace.of_this_pod(_RIGHTS)

    def run(self, address: str, environment: Mapping[str, str]) -> None:
        """Start it, wait until it is complete, and take it away however that ends.

        Args:
            address: Where the nodes find their inputs and leave the model.
            environment: Plain variables of the nodes; nothing secret.

        Raises:
            ConfigError: The step does not run in a pod that may read itself.
            ServiceError: Kubernetes refuses, the nodes do not start in time, or the training fails.
        """
        try:
            self._start(address, environment)
            self._wait()
        finally:
            self._stop(self.name)

    def _start(self, address: str, environment: Mapping[str, str]) -> None:
        for left_over in self._of_this_run():
            progress.note(f"TrainJob {left_over} of an attempt before is taken away")
            self._stop(left_over)
        body = train_job(
            self.config,
            name=self.name,
            run_id=self.run_id,
            image=self._image(),
            address=address,
            environment=environment,
            owner=self.namespace.workflow(),
        )
        create = partial(_objects().create_namespaced_custom_object, GROUP, VERSION, self.namespace.name, PLURAL, body)
        self.namespace.create(f"TrainJob {self.name}", create)
        progress.note(f"TrainJob {self.name}: {self.config.nodes} nodes of {self.config.node_processes} processes")

    def _wait(self) -> None:
        """Return when it is complete; look every few seconds, whatever Kubernetes answers in between."""
        started, silent, running = time.monotonic(), 0, 0
        while True:
            seconds = time.monotonic() - started
            try:
                if self._is_complete():
                    return
                running, silent = self._running(running), 0
                if running < self.config.nodes and seconds > self.config.nodes_ready_seconds:
                    raise self._failed(f"has {running} of them running after {seconds:.0f} s{self._why()}")
            except Silent:
                silent += 1
                if silent > _SILENT_LOOKS:
                    raise
            if seconds > self.config.nodes_deadline_seconds:
                raise self._failed(f"has not ended after {seconds:.0f} s (train_sparse.nodes_deadline_seconds)")
            time.sleep(_LOOK_SECONDS)

    def _is_complete(self) -> bool:
        """Whether it has ended well.

        Raises:
            ServiceError: It has failed, or is gone.
        """
        from kubernetes.client.rest import ApiException

        with self.namespace.told(f"show TrainJob {self.name}"):
            try:
                found = _objects().get_namespaced_custom_object(*self._place(self.name))
            except ApiException as error:
                if error.status == 404:
                    raise self._failed("was deleted while it ran") from error
                raise
        for condition in (found.get("status") or {}).get("conditions") or []:
            if condition["status"] == "True" and condition["type"] == "Complete":
                return True
            if condition["status"] == "True" and condition["type"] == "Failed":
                told = [condition.get(key) for key in ("reason", "message")]
                raise self._failed(": ".join(["has failed", *filter(None, told)]) + self._last_words())
        return False

    def _running(self, before: int) -> int:
        """How many nodes run or have ended well; a change is told.

        Raises:
            ServiceError: One waits for what nobody will bring.
        """
        pods = self._pods()
        if reason := hopeless(pods):
            raise self._failed(f"cannot start: {reason}")
        now = sum(pod.status.phase in ("Running", "Succeeded") for pod in pods)
        if now != before:
            progress.note(f"{now} of {self.config.nodes} nodes run")
        return now

    def _why(self) -> str:
        """For what its pods wait, as the scheduler says; where there are none, what else may hold them back."""
        pods = self._pods()
        if not pods:
            return "; it has no pods: look at its events, at quotas, and whether a queue holds it"
        told = {
            condition.message
            for pod in pods
            for condition in pod.status.conditions or []
            if condition.type == "PodScheduled" and condition.status == "False"
        }
        return "".join(f"; {message}" for message in sorted(filter(None, told)))

    def _last_words(self) -> str:
        """The end of the log of a node that has failed, else of the first; empty when it may not be read."""
        try:
            pods = sorted(self._pods(), key=lambda pod: (pod.status.phase != "Failed", pod.metadata.name))
            log = self.namespace.log(pods[0]) if pods else ""
        except ServiceError as error:
            return f"; no log: {error.what}"
        return f"; the log of {pods[0].metadata.name} ends with:\n{log[-_LOG_END:]}" if log else ""

    def _image(self) -> str:
        """The image this step runs in: nodes run the same code."""
        pod = self.namespace.this_pod()
        for container in pod.spec.containers if pod else []:
            if container.name == "main":
                return str(container.image)
        raise ConfigError(
            "the image of the nodes is not known: this step cannot read its own pod",
            where=f"namespace {self.namespace.name}",
            fix="Let the run's ServiceAccount get pods, or set train_sparse.nodes=1.",
        )

    def _of_this_run(self) -> list[str]:
        """Names of the TrainJobs of this run."""
        label = f"{RUN_LABEL}={run_label(self.run_id)}"
        with self.namespace.told("list TrainJobs"):
            found = _objects().list_namespaced_custom_object(
                GROUP, VERSION, self.namespace.name, PLURAL, label_selector=label
            )
        return [str(item["metadata"]["name"]) for item in found["items"]]

    def _stop(self, name: str) -> None:
        """Delete one, with its pods; where that cannot be, it ends with the run's Workflow or at its deadline."""
        delete = partial(_objects().delete_namespaced_custom_object, *self._place(name))
        try:
            self.namespace.delete(f"TrainJob {name}", delete)
        except ServiceError as error:
            progress.note(f"TrainJob {name} may still run: {error.what}")

    def _pods(self) -> list[Any]:
        return self.namespace.pods(f"{_PODS_OF}={self.name}")

    def _place(self, name: str) -> tuple[str, str, str, str, str]:
        return GROUP, VERSION, self.namespace.name, PLURAL, name

    def _failed(self, what: str) -> ServiceError:
        return ServiceError(
            f"the training on {self.config.nodes} nodes {what}",
            where=f"TrainJob {self.name} in namespace {self.namespace.name}",
            fix="Mend the cause and run again: training goes on from its checkpoint.",
        )


def _objects() -> Any:
    from kubernetes import client

    return client.CustomObjectsApi(kubernetes_api.api())
