"""Views of Kubernetes objects that the checks share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from k8s.build import Document


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: which rule says so, of which object, and what."""

    rule: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} [{self.rule}]"


@dataclass(frozen=True)
class Pod:
    """The pod an object makes, as far as the object says."""

    where: str
    kind: str
    namespace: str
    labels: dict[str, str]
    spec: dict[str, Any]

    def containers(self) -> Iterator[dict[str, Any]]:
        """Containers of every sort, in order of start."""
        for sort in ("initContainers", "containers", "ephemeralContainers"):
            yield from self.spec.get(sort) or []


def name_of(document: Document) -> str:
    """Kind, namespace and name, for people.

    >>> name_of({"kind": "Job", "metadata": {"namespace": "a", "name": "b"}})
    'Job a/b'
    """
    metadata = document.get("metadata") or {}
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{document.get('kind', '?')} {place}{metadata.get('name', '?')}"


def namespace_of(document: Document) -> str:
    """The namespace an object is in; empty for those that are in none."""
    return str((document.get("metadata") or {}).get("namespace", ""))


def of_kind(documents: Iterable[Document], *kinds: str) -> list[Document]:
    """The objects of some kinds."""
    return [document for document in documents if document.get("kind") in kinds]


def pods(documents: Iterable[Document]) -> list[Pod]:
    """The pods that the objects make."""
    return [_pod(document, template) for document in documents for template in _templates(document)]


def _pod(document: Document, template: dict[str, Any]) -> Pod:
    labels = (template.get("metadata") or {}).get("labels") or {}
    return Pod(name_of(document), document["kind"], namespace_of(document), labels, template.get("spec") or {})


def _templates(document: Document) -> Iterator[dict[str, Any]]:
    """Templates of the pods that an object makes."""
    kind, spec = document.get("kind", ""), document.get("spec") or {}
    labels = (document.get("metadata") or {}).get("labels") or {}
    match kind:
        case "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job":
            yield spec.get("template") or {}
        case "CronJob":
            yield ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {}
        case "Pod":
            yield {"metadata": {"labels": labels}, "spec": spec}
        case "InferenceService":  # KServe gives its pods the labels of the object
            yield {"metadata": {"labels": labels}, "spec": spec.get("predictor") or {}}
        case "TrainingRuntime":
            for job in spec["template"]["spec"]["replicatedJobs"]:
                yield (job["template"].get("spec") or {}).get("template") or {}


def matches(selector: dict[str, Any] | None, labels: dict[str, str]) -> bool:
    """Whether labels fit a label selector; an empty selector fits all, None fits nothing.

    >>> matches({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {"a": "1"})
    True
    """
    if selector is None:
        return False
    exact = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        _fits(expression, labels) for expression in selector.get("matchExpressions") or []
    )


def _fits(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(f"there is no operator {expression['operator']}")
