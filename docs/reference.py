"""Write ``docs/reference.md`` from the code: ``python -m docs.reference`` (``make docs``).

Steps with their files and settings come from signatures, components and config classes; commands from the parser;
the environment from ``kosparse/settings.py``. Nothing in the page is written by hand.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from kosparse import settings as environment
from kosparse.commands.parser import parser
from kosparse.config.describe import Setting, settings_of
from kosparse.steps import STEPS
from kosparse.steps.runtime import Step

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference.md"
_SHARED = ("seed",)
_LONGEST_DEFAULT = 60


def page() -> str:
    """The whole page."""
    lines = ["# Reference", "", "Made from the code by `make docs`: change the code, not this page.", ""]
    lines += ['Every step takes `seed` (13). Settings are given as `SET="step.key=value"` to `make run`, as']
    lines += ["`--set key=value` to `kosparse <step>`.", "", "## Steps", ""]
    for name in STEPS:
        lines += [*_step(name), ""]
    return "\n".join([*lines, "## Commands", "", *_commands(), "", "## Environment", "", *_environment(), ""])


def _step(name: str) -> Iterator[str]:
    step: Step = import_module(f"kosparse.steps.{name}").run
    component = _component(name)
    yield f"### {name}"
    yield ""
    yield component.pop("")
    yield ""
    yield "| | file | what |"
    yield "|---|---|---|"
    kinds = (("parameter", step.params), ("input", step.inputs), ("output", step.outputs))
    for kind, names in kinds:
        for each in names:
            yield f"| {kind} | `{each}` | {_cell(component.get(each, ''))} |"
    settings = [setting for setting in settings_of(step.config_type) if setting.name not in _SHARED]
    if settings:
        yield ""
        yield "| setting | default | type | what |"
        yield "|---|---|---|---|"
        yield from map(_setting, settings)


def _setting(setting: Setting) -> str:
    default = repr(setting.default)
    shown = default if len(default) <= _LONGEST_DEFAULT else f"{default[: _LONGEST_DEFAULT - 3]}..."
    return f"| `{setting.name}` | `{_cell(shown)}` | {_cell(setting.kind)} | {_cell(setting.about)} |"


def _component(name: str) -> dict[str, str]:
    """What a component's docstring says of each argument; its first line under ""."""
    tree = ast.parse((ROOT / "components" / name / "component.py").read_text(encoding="utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    about, _, arguments = inspect.cleandoc(ast.get_docstring(function) or "").partition("\nArgs:\n")
    found = {"": _cell(about.split("\n\n")[0])}
    for match in re.finditer(r"^ {4}(\w+): (.+(?:\n {8,}.+)*)", arguments, re.MULTILINE):
        found[match[1]] = " ".join(match[2].split())
    return found


def _commands() -> Iterator[str]:
    yield "| command | what | options |"
    yield "|---|---|---|"
    for name, (about, options) in commands().items():
        if name not in STEPS:
            yield f"| `kosparse {name}` | {_cell(about)} | {' '.join(f'`{option}`' for option in sorted(options))} |"


@cache
def commands() -> dict[str, tuple[str, set[str]]]:
    """What each command is for, and its options; those of its actions (``label make``) are its own."""
    (subparsers,) = _subparsers(parser(STEPS))
    about = {choice.dest: str(choice.help or "") for choice in subparsers._choices_actions}
    return {name: (about.get(name, ""), _options(found)) for name, found in subparsers.choices.items()}


def _subparsers(found: argparse.ArgumentParser) -> list[argparse._SubParsersAction]:  # type: ignore[type-arg]
    return [action for action in found._actions if isinstance(action, argparse._SubParsersAction)]


def _options(found: argparse.ArgumentParser) -> set[str]:
    own = {option for action in found._actions for option in action.option_strings if option not in ("-h", "--help")}
    return own.union(*(_options(inner) for action in _subparsers(found) for inner in action.choices.values()))


def _environment() -> Iterator[str]:
    """Docstrings below the fields of ``Settings`` that name their variable."""
    (node,) = [found for found in ast.parse(inspect.getsource(environment.Settings)).body]
    assert isinstance(node, ast.ClassDef)
    yield "| variable | what |"
    yield "|---|---|"
    for text in node.body:
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            match = re.match(r"``([A-Z0-9_]+)``: (.+)", " ".join(str(text.value.value).split()))
            if match:
                yield f"| `{match[1]}` | {_cell(match[2])} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.relative_to(ROOT))
