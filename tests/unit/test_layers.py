"""Imports point inwards: the table below is the architecture."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CORE = {"errors", "records", "jsonl", "settings", "progress", "korean", "trust"}
CONTRACTS = {"ports", "prompts", "config"}
LOGIC = {"corpus", "llm", "synthetic", "synonyms", "sparse", "evaluation", "export"}
OUTSIDE = {"adapters", "services", "models"}

MAY_IMPORT = {
    **{name: CORE for name in CORE},
    **{name: CORE | CONTRACTS for name in CONTRACTS},
    **{name: CORE | CONTRACTS | LOGIC for name in LOGIC},
    **{name: CORE | CONTRACTS | OUTSIDE for name in OUTSIDE},
    "steps": CORE | CONTRACTS | LOGIC | OUTSIDE | {"steps"},
    "commands": CORE | CONTRACTS | LOGIC | OUTSIDE | {"steps"},
    "cli": CORE | CONTRACTS | LOGIC | OUTSIDE | {"steps", "commands"},
}
"""Part of kosparse -> the parts it may import (its own included)."""

EXTRA = {
    "kosparse/llm/loader.py": OUTSIDE,
    "kosparse/llm/shared_cache.py": OUTSIDE,
    "kosparse/adapters": {"llm"},
    "kosparse/__init__.py": LOGIC | CORE,
}
"""Composition roots: they may import more, lazily."""

HOME_OF = {
    "openai": ("kosparse/adapters/",),
    "minio": ("kosparse/adapters/",),
    "boto3": ("kosparse/adapters/",),
    "mlflow": ("kosparse/adapters/",),
    "kubernetes": ("kosparse/adapters/",),
    "opensearchpy": ("kosparse/adapters/",),
    "kfp": (),
    "torch": ("kosparse/llm/", "kosparse/sparse/", "kosparse/adapters/", "kosparse/models/"),
    "transformers": ("kosparse/llm/", "kosparse/sparse/", "kosparse/adapters/", "kosparse/models/"),
    "bitsandbytes": ("kosparse/llm/", "kosparse/sparse/"),
    "components": (),
    "pipelines": (),
}
"""Package -> the only folders of ``kosparse/`` that may import it."""

FILES = sorted((ROOT / "kosparse").rglob("*.py"))


def imported(path: Path) -> list[str]:
    """Dotted names of everything a file imports, anywhere in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_inwards(path: Path):
    relative = path.relative_to(ROOT).as_posix()
    part = relative.split("/")[1].removesuffix(".py")
    allowed = MAY_IMPORT.get(part, CORE) | {part}
    for place, more in EXTRA.items():
        allowed = allowed | more if relative.startswith(place) else allowed

    for name in imported(path):
        if name.startswith("kosparse.") and not name.startswith("kosparse.__"):
            target = name.split(".")[1]
            assert target in allowed, f"{relative} imports {name}; see CONTRIBUTING.md#layers"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_frameworks_stay_at_home(path: Path):
    relative = path.relative_to(ROOT).as_posix()

    for name in imported(path):
        homes = HOME_OF.get(name.split(".")[0])
        if homes is not None:
            assert relative.startswith(homes) if homes else False, f"{relative} imports {name}; it lives in {homes}"


def test_import_kosparse_stays_light():
    code = "import sys, kosparse, kosparse.cli, kosparse.config; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout

    heavy = {"torch", "transformers", "mlflow", "kfp", "openai", "kiwipiepy", "sklearn", "scipy"}
    assert heavy.isdisjoint(loaded.split())


def test_component_files_import_kfp_and_components_only():
    for path in sorted((ROOT / "components").glob("*/component.py")):
        top = {name.split(".")[0] for name in imported(path)}
        assert top <= {"kfp", "components", "kosparse"}, path


def test_manifests_know_errors_and_their_words_only():
    for path in sorted((ROOT / "k8s").rglob("*.py")):
        ours = {name.rsplit(".", 1)[0] for name in imported(path) if name.split(".")[0] in ("kosparse", "pipelines")}
        assert ours <= {"kosparse.errors", "kosparse.korean"}, path


def test_no_file_of_the_library_is_longer_than_350_lines():
    folders = ("kosparse", "components", "pipelines", "k8s")
    long = [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > 350
    ]
    assert long == []
