"""Strict types: every field must be known and of its type, and none that is required may be missing.

Built-in kinds are checked against the models of the ``kubernetes`` client, others against ``kinds.yaml``. A
kind that is in neither is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from k8s.build import Document
from k8s.check.objects import Problem, name_of

_KINDS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("kinds.yaml").read_text(encoding="utf-8"))
_SCALARS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True)
class Model:
    """Fields of an object type: name in YAML -> type, and those that must be there."""

    fields: dict[str, str]
    required: frozenset[str]


def check(documents: Iterable[Document]) -> list[Problem]:
    """What is wrong with the types of some objects."""
    return [Problem("types", name_of(document), what) for document in documents for what in _check(document)]


def _check(document: Document) -> Iterator[str]:
    version, kind = str(document.get("apiVersion", "")), str(document.get("kind", ""))
    type_ = _type_of(version, kind)
    if type_ is None:
        yield f"unknown kind {kind!r} of {version!r}"
        return
    name = (document.get("metadata") or {}).get("name", "")
    if not _NAME.fullmatch(str(name)) or len(str(name)) > 253:
        yield f"metadata.name: {name!r} is not a name"
    body = {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}
    yield from _object(body, type_, "")


def _type_of(version: str, kind: str) -> str | None:
    if kind in _KINDS["builtin"].get(version, ()):
        return version.rpartition("/")[2].capitalize() + kind
    return kind if kind in _KINDS["custom"].get(version, ()) else None


def _value(value: Any, type_: str, path: str) -> Iterator[str]:
    if type_.startswith("list["):
        yield from _list(value, type_.removeprefix("list[").removesuffix("]"), path)
    elif type_.startswith("dict(str, "):
        yield from _dict(value, type_.removeprefix("dict(str, ").removesuffix(")"), path)
    elif type_ == "quantity":
        if not _is_quantity(value):
            yield f"{path}: {value!r} is not a quantity"
    elif type_ in _SCALARS:
        if not isinstance(value, _SCALARS[type_]) or (isinstance(value, bool) and type_ != "bool"):
            yield f"{path}: {value!r} is not of type {type_}"
    elif type_ not in ("object", "datetime"):
        yield from _object(value, type_, path)


def _list(value: Any, type_: str, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: {value!r} is not a list"
        return
    for index, item in enumerate(value):
        yield from _value(item, type_, f"{path}[{index}]")


def _dict(value: Any, type_: str, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is not a mapping"
        return
    for key, item in value.items():
        yield from _value(item, type_, f"{path}.{key}")


def _object(value: Any, type_: str, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is not a {type_}"
        return
    model, place = model_of(type_), f"{path}." if path else ""
    for key in sorted(model.required - value.keys()):
        yield f"{place}{key}: is missing"
    for key, item in value.items():
        if key not in model.fields:
            yield f"{place}{key}: unknown field"
        elif item is None:
            yield f"{place}{key}: has no value"
        else:
            yield from _value(item, model.fields[key], place + key)
            allowed = _KINDS["enums"].get(f"{type_}.{key}")
            if allowed and not set(item if isinstance(item, list) else [item]) <= set(allowed):
                yield f"{place}{key}: {item!r} is none of {', '.join(allowed)}"


@cache
def model_of(type_: str) -> Model:
    """The fields of a type of ours, or of the Kubernetes client."""
    written = _KINDS["types"].get(type_)
    if written is None:
        return _client_model(type_)
    base = model_of(written["extends"]) if "extends" in written else Model({}, frozenset())
    own = written["fields"]
    required = {key for key, kind in own.items() if kind.endswith("!")}
    return Model(
        base.fields | {key: kind.removesuffix("!") for key, kind in own.items()}, base.required | frozenset(required)
    )


def _client_model(type_: str) -> Model:
    from kubernetes import client

    found = getattr(client, type_)
    fields = {name: found.openapi_types[attribute] for attribute, name in found.attribute_map.items()}
    for name in _KINDS["quantities"].get(type_, ()):
        fields[name] = "quantity" if fields[name] == "str" else "dict(str, quantity)"
    return Model(fields, frozenset(found.attribute_map[key] for key in _required(found)))


def _required(model: Any) -> Iterator[str]:
    """Attributes that the client's setters refuse to leave empty."""
    from kubernetes import client

    instance = model.__new__(model)
    instance.local_vars_configuration = client.Configuration()
    for attribute in model.attribute_map:
        try:
            setattr(instance, attribute, None)
        except ValueError:
            yield attribute


def _is_quantity(value: Any) -> bool:
    from kubernetes.utils import parse_quantity

    try:
        return isinstance(value, str) and parse_quantity(value) >= 0
    except ValueError:
        return False
