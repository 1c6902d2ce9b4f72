"""What holds for objects that are no pods: rights, secrets, namespaces, services, default-deny."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from k8s.build import Document
from k8s.check.objects import Problem, name_of, namespace_of, of_kind, pods

_POWERS = {"escalate", "bind", "impersonate", "*"}
_CREDENTIAL = re.compile(
    r"""(?i)(password|secret_?(access_?)?key|api_?key|token)["']?\s*[:=]\s*["']?[\w+/-]{8,}|BEGIN [A-Z ]*PRIVATE KEY"""
)


def check(documents: Iterable[Document]) -> list[Problem]:
    """What is wrong with some objects, seen together."""
    documents = list(documents)
    return [Problem(rule, where, what) for rule, ask in _RULES.items() for where, what in ask(documents)]


def _rights(documents: list[Document]) -> Iterator[tuple[str, str]]:
    for role in of_kind(documents, "Role", "ClusterRole"):
        for rule in role.get("rules") or []:
            verbs, resources = set(rule.get("verbs", [])), set(rule.get("resources", []))
            if powers := verbs & _POWERS:
                yield name_of(role), f"may {', '.join(sorted(powers))}"
            if "*" in resources | set(rule.get("apiGroups", [])):
                yield name_of(role), "has rights on everything"
            if "secrets" in resources and not (rule.get("resourceNames") and verbs <= {"get"}):
                yield name_of(role), "may read more secrets than those it names"
            if resources & {"pods/exec", "pods/attach", "serviceaccounts/token"}:
                yield name_of(role), "may act as other pods"
    for kind in of_kind(documents, "ClusterRole", "ClusterRoleBinding"):
        yield name_of(kind), "has rights in all namespaces"


def _secrets(documents: list[Document]) -> Iterator[tuple[str, str]]:
    for secret in of_kind(documents, "Secret"):
        yield name_of(secret), "secrets are made at deployment, never built"
    for config in of_kind(documents, "ConfigMap"):
        for key, value in (config.get("data") or {}).items():
            if _CREDENTIAL.search(value):
                yield name_of(config), f"{key} seems to hold a credential"
    for pod in pods(documents):
        for container in pod.containers():
            words = [*container.get("command", []), *container.get("args", [])]
            words += [f"{entry['name']}={entry['value']}" for entry in container.get("env", []) if "value" in entry]
            for word in words:
                if _CREDENTIAL.search(word):
                    yield pod.where, f"{word.split('=')[0]} seems to hold a credential"


def _namespaces(documents: list[Document]) -> Iterator[tuple[str, str]]:
    made = {document["metadata"]["name"]: document for document in of_kind(documents, "Namespace")}
    for document in documents:
        place = namespace_of(document)
        if document.get("kind") != "Namespace" and place not in made:
            yield name_of(document), f"namespace {place!r} is not made here"
    for name in _ours(documents):
        labels = made[name]["metadata"].get("labels") or {} if name in made else {}
        levels = tuple(labels.get(f"pod-security.kubernetes.io/{mode}") for mode in ("enforce", "audit"))
        if levels not in (("restricted", "restricted"), ("baseline", "restricted")):
            yield f"Namespace {name}", "does not hold pods to a Pod Security profile"


def _default_deny(documents: list[Document]) -> Iterator[tuple[str, str]]:
    denied = {
        namespace_of(policy)
        for policy in of_kind(documents, "NetworkPolicy")
        if policy["spec"].get("podSelector") == {}
        and set(policy["spec"].get("policyTypes", [])) == {"Ingress", "Egress"}
        and not policy["spec"].get("ingress")
        and not policy["spec"].get("egress")
    }
    for name in _ours(documents) - denied:
        yield f"Namespace {name}", "does not deny traffic by default"


def _ours(documents: list[Document]) -> set[str]:
    """Namespaces that are ours, or have pods of ours; one that is only labelled here is not."""
    labelled = {
        document["metadata"]["name"]
        for document in of_kind(documents, "Namespace")
        if (document["metadata"].get("labels") or {}).get("app.kubernetes.io/part-of") == "kosparse"
    }
    return labelled | {pod.namespace for pod in pods(documents)}


def _exposed(documents: list[Document]) -> Iterator[tuple[str, str]]:
    for service in of_kind(documents, "Service"):
        if service["spec"].get("type", "ClusterIP") != "ClusterIP" or service["spec"].get("externalIPs"):
            yield name_of(service), "is reached from outside the cluster"


_RULES: dict[str, Callable[[list[Document]], Iterator[tuple[str, str]]]] = {
    "rights": _rights,
    "secrets": _secrets,
    "namespaces": _namespaces,
    "default-deny": _default_deny,
    "exposed": _exposed,
}
