"""What the docstrings below a config's fields say, for ``--help`` and the reference."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import dataclass
from functools import cache
from typing import Any

from kosparse.config.base import StepConfig


@dataclass(frozen=True)
class Setting:
    """One key of a config."""

    name: str
    kind: str
    """Its type, with the bounds: ``int, >= 0``."""
    default: Any
    about: str
    """Its docstring on one line."""


def settings_of(kind: type[StepConfig]) -> list[Setting]:
    """The keys of a config class, in the order they are declared; the fingerprint that the code fills in left out."""
    about: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        about |= _docstrings(base) if issubclass(base, StepConfig) else {}
    return [
        Setting(name, _kind(field), field.get_default(call_default_factory=True), about.get(name, ""))
        for name, field in kind.model_fields.items()
        if name != "prompt_fingerprint"
    ]


@cache
def _docstrings(kind: type[StepConfig]) -> dict[str, str]:
    """Docstring by field of one class, those of its bases left out."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(node, ast.ClassDef)
    found = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            found[field.target.id] = " ".join(str(text.value.value).split())  # type: ignore[attr-defined]
    return found


def _kind(field: Any) -> str:
    annotation = field.annotation
    name = annotation.__name__ if annotation in (int, float, str, bool) else str(annotation).replace("typing.", "")
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = [
        f"{sign} {getattr(bound, attribute):g}"
        for bound in field.metadata
        for attribute, sign in signs.items()
        if hasattr(bound, attribute)
    ]
    return ", ".join([name, *bounds])
