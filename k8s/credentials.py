"""Secrets of a deployment: those that are missing are made, of random values; none is ever changed or shown."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import yaml

from k8s.build import Document
from kosparse.errors import ConfigError

_TEMPLATES = Path(__file__).with_name("secrets.yaml")
_OPTIONAL = ("kosparse-llm",)

Values = dict[str, str]


class Cluster(Protocol):
    """What is asked of kubectl."""

    def run(self, *arguments: str, text: str = "") -> str:
        """Run kubectl with some standard input; return what it prints."""


def templates() -> list[Document]:
    """The Secrets there must be: names and keys, without values."""
    return list(yaml.safe_load_all(_TEMPLATES.read_text(encoding="utf-8")))


def places(documents: Iterable[Document]) -> dict[str, str]:
    """The parts that a build has, ``services`` and ``runs``, with their namespaces."""
    found = {}
    for document in documents:
        match document["kind"], document["metadata"]["name"]:
            case "Deployment", "mlflow":
                found["services"] = document["metadata"]["namespace"]
            case "ConfigMap", "kosparse":
                found["runs"] = document["metadata"]["namespace"]
    return found


def keys_of_secrets(documents: Iterable[Document]) -> dict[tuple[str, str], list[str]]:
    """Keys by namespace and name of the Secrets that a build needs."""
    where = places(documents)
    return {
        (where[part], template["metadata"]["name"]): list(template["stringData"])
        for template in templates()
        for part in _parts(template)
        if part in where
    }


def ensure(cluster: Cluster, documents: Iterable[Document]) -> Iterator[str]:
    """Make the Secrets that are missing; say which.

    Raises:
        ConfigError: One is missing whose values only its owner knows.
    """
    where = places(documents)
    for template in templates():
        name, keys = template["metadata"]["name"], list(template["stringData"])
        spaces = [where[part] for part in _parts(template) if part in where]
        there = {space: values for space in spaces if (values := _read(cluster, space, name)) is not None}
        missing = [space for space in spaces if space not in there]
        if not missing:
            continue
        if "services" not in where:  # other people's services: only they know their keys
            if name in _OPTIONAL:
                yield f"{name} is not in {missing[0]}: asked without a key"
                continue
            raise _unknown(name, keys, missing[0])
        values = next(iter(there.values()), None) or {key: secrets.token_hex(20) for key in keys}
        for space in missing:
            _create(cluster, space, name, values)
            yield f"{name} made in {space}"


def made(documents: Iterable[Document]) -> list[Document]:
    """The Secrets that ``ensure`` makes for a build, without values; none for other people's services."""
    documents = list(documents)
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}}
        for namespace, name in keys_of_secrets(documents)
        if "services" in places(documents)
    ]


def _parts(template: Document) -> list[str]:
    return str(template["metadata"]["annotations"]["kosparse/parts"]).split(",")


def _read(cluster: Cluster, namespace: str, name: str) -> Values | None:
    text = cluster.run("get", "secret", name, "--namespace", namespace, "--ignore-not-found", "--output", "json")
    if not text.strip():
        return None
    data = json.loads(text).get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def _create(cluster: Cluster, namespace: str, name: str, values: Values) -> None:
    """By standard input, where no process list shows the values."""
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "kosparse"}},
        "stringData": values,
    }
    cluster.run("create", "--filename", "-", text=json.dumps(body))


def _unknown(name: str, keys: list[str], namespace: str) -> ConfigError:
    literals = " ".join(f"--from-literal={key}=..." for key in keys)
    return ConfigError(
        f"the Secret {name} is missing, and its values belong to a service of yours",
        where=f"namespace {namespace}",
        fix=f"kubectl -n {namespace} create secret generic {name} {literals}",
    )
