"""The part of this package that a module needs: the module, and all of ours that it imports."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import kosparse

_PACKAGE = Path(kosparse.__file__).parent


def copy_source(module: str, folder: Path) -> list[str]:
    """Copy a module and what it imports of this package, anywhere in its code, below ``folder``.

    Args:
        module: Such as ``kosparse.sparse.model``.
        folder: Becomes a folder to import ``kosparse`` from.

    Returns:
        Names of the modules copied, sorted.
    """
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += [name.rpartition(".")[0], *_imports(path)]
    for path in found.values():
        target = folder / path.relative_to(_PACKAGE.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return sorted(found)


def _file(module: str) -> Path | None:
    """Where a module of ours stands; None for what is no module."""
    path = _PACKAGE.parent.joinpath(*module.split("."))
    if path == _PACKAGE.parent:
        return None
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def _imports(path: Path) -> Iterator[str]:
    """Names that may be modules of ours."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == _PACKAGE.name)
