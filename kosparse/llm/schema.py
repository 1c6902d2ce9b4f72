"""Does an answer fit its JSON schema? For the few words of JSON Schema that prompts use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kosparse.llm.structured import parse_json

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def answer_problem(text: str, schema: Mapping[str, Any]) -> str:
    """What is wrong with an answer, in a few words; empty when it fits.

    Code fences and reasoning blocks around the JSON are not held against it.

    >>> answer_problem('{"number": "three"}', {"type": "object", "properties": {"number": {"type": "integer"}}})
    'number: not of type integer'
    """
    try:
        value = parse_json(text)
    except ValueError:
        return "no JSON"
    return problem(value, schema)


def problem(value: Any, schema: Mapping[str, Any], where: str = "") -> str:
    """The first way in which a value does not fit; empty when it does.

    Understood are type, enum, properties, required, additionalProperties (false), items, minItems and
    maxItems; other words are not checked.
    """
    place = f"{where}: " if where else ""
    if "enum" in schema:
        return "" if value in schema["enum"] else f"{place}not one of the allowed values"
    kind = schema.get("type")
    if isinstance(kind, str) and not _is_of(value, kind):
        return f"{place}not of type {kind}"
    if isinstance(value, dict):
        return _object_problem(value, schema, where)
    if isinstance(value, list):
        return _list_problem(value, schema, where)
    return ""


def _is_of(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES.get(kind, (object,)))


def _object_problem(value: dict[str, Any], schema: Mapping[str, Any], where: str) -> str:
    known: Mapping[str, Any] = schema.get("properties", {})
    missing = [name for name in schema.get("required", []) if name not in value]
    if missing:
        return f"{where + ': ' if where else ''}without {missing[0]}"
    unknown = [name for name in value if name not in known]
    if unknown and schema.get("additionalProperties") is False:
        return f"{where + ': ' if where else ''}with unknown {unknown[0]}"
    found = (problem(value[name], part, f"{where}.{name}".lstrip(".")) for name, part in known.items() if name in value)
    return next(filter(None, found), "")


def _list_problem(value: list[Any], schema: Mapping[str, Any], where: str) -> str:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return f"{where + ': ' if where else ''}{len(value)} items"
    items = schema.get("items")
    if not isinstance(items, Mapping):
        return ""
    found = (problem(item, items, f"{where}[{number}]") for number, item in enumerate(value))
    return next(filter(None, found), "")
