"""What an object names must be there: secrets with their keys, config maps, claims, pods behind selectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from k8s.build import Document
from k8s.check.objects import Pod, Problem, matches, name_of, namespace_of, of_kind, pods
from k8s.credentials import keys_of_secrets

_MADE_BY_KUBEFLOW = {"default-editor", "pipeline-runner"}
_MADE_BY_RUNS = {"app.kubernetes.io/name": "kosparse-llm"}
"""Labels of pods that steps start, which no manifest has."""


def check(documents: Iterable[Document]) -> list[Problem]:
    """Which references of some objects lead nowhere."""
    documents = list(documents)
    return [Problem("references", where, what) for ask in _RULES for where, what in ask(documents)]


def _names(documents: list[Document], kind: str) -> set[tuple[str, str]]:
    return {(namespace_of(document), document["metadata"]["name"]) for document in of_kind(documents, kind)}


def _volumes(documents: list[Document]) -> Iterator[tuple[str, str]]:
    claims, configs = _names(documents, "PersistentVolumeClaim"), _names(documents, "ConfigMap")
    for pod in pods(documents):
        for volume in pod.spec.get("volumes") or []:
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            config = (volume.get("configMap") or {}).get("name")
            if claim and (pod.namespace, claim) not in claims:
                yield pod.where, f"there is no claim {claim}"
            if config and (pod.namespace, config) not in configs:
                yield pod.where, f"there is no config map {config}"


def _mounts(documents: list[Document]) -> Iterator[tuple[str, str]]:
    made = {name_of(document): document for document in documents}
    for pod in pods(documents):
        templates = (made[pod.where].get("spec") or {}).get("volumeClaimTemplates") or []
        volumes = {volume["name"] for volume in pod.spec.get("volumes") or []}
        volumes |= {template["metadata"]["name"] for template in templates}
        for container in pod.containers():
            for mount in container.get("volumeMounts") or []:
                if mount["name"] not in volumes:
                    yield pod.where, f"there is no volume {mount['name']}"


def _secret_keys(documents: list[Document]) -> Iterator[tuple[str, str]]:
    known = keys_of_secrets(documents)
    for pod in pods(documents):
        for name, key in _wanted(pod):
            if key not in known.get((pod.namespace, name), ()):
                yield pod.where, f"secrets.yaml has no {name} with {key} for namespace {pod.namespace}"


def _wanted(pod: Pod) -> Iterator[tuple[str, str]]:
    for container in pod.containers():
        for entry in container.get("env") or []:
            reference: dict[str, Any] = (entry.get("valueFrom") or {}).get("secretKeyRef") or {}
            if reference:
                yield reference["name"], reference["key"]


def _selectors(documents: list[Document]) -> Iterator[tuple[str, str]]:
    known = [(pod.namespace, pod.labels) for pod in pods(documents)]
    for document in of_kind(documents, "Service", "PodDisruptionBudget"):
        selector = document["spec"].get("selector") or {}
        selector = {"matchLabels": selector} if document["kind"] == "Service" else selector
        place = namespace_of(document)
        if not any(place == namespace and matches(selector, labels) for namespace, labels in known) and not matches(
            selector, _MADE_BY_RUNS
        ):
            yield name_of(document), "selects no pod"
    for document in of_kind(documents, "Deployment", "StatefulSet"):
        labels = document["spec"]["template"].get("metadata", {}).get("labels") or {}
        if not matches(document["spec"].get("selector"), labels):
            yield name_of(document), "does not select its own pods"


def _ports(documents: list[Document]) -> Iterator[tuple[str, str]]:
    for service in of_kind(documents, "Service"):
        selector = {"matchLabels": service["spec"].get("selector") or {}}
        behind = [pod for pod in pods(documents) if pod.namespace == namespace_of(service)]
        open_ports = {
            value
            for pod in behind
            if matches(selector, pod.labels)
            for container in pod.containers()
            for port in container.get("ports") or []
            for value in (port.get("name"), port["containerPort"])
        }
        for port in service["spec"].get("ports") or []:
            if port.get("targetPort", port["port"]) not in open_ports:
                yield name_of(service), f"no container has port {port.get('targetPort', port['port'])}"


def _bindings(documents: list[Document]) -> Iterator[tuple[str, str]]:
    roles, accounts = _names(documents, "Role"), _names(documents, "ServiceAccount")
    for binding in of_kind(documents, "RoleBinding"):
        place, role = namespace_of(binding), binding["roleRef"]["name"]
        if (place, role) not in roles:
            yield name_of(binding), f"there is no role {role}"
        for subject in binding.get("subjects") or []:
            if subject.get("namespace") != place or (
                subject["name"] not in _MADE_BY_KUBEFLOW and (place, subject["name"]) not in accounts
            ):
                yield name_of(binding), f"there is no account {subject.get('namespace')}/{subject['name']}"


_RULES: tuple[Callable[[list[Document]], Iterator[tuple[str, str]]], ...] = (
    _volumes,
    _mounts,
    _secret_keys,
    _selectors,
    _ports,
    _bindings,
)
