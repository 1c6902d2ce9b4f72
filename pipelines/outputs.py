"""The files a local run leaves: find them, check that none is missing, mirror them to the object store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from kosparse.errors import KosparseError
from kosparse.ports import ObjectStore

BUCKET = "mlpipeline"
PREFIX = "v2/artifacts"
"""Where KFP's launcher keeps artifacts on a cluster: ``v2/artifacts/<pipeline>/<run>/<task>/<artifact>``."""


def expected(package: Path) -> dict[str, list[str]]:
    """Task name -> names of the artifacts it must write as files, from a compiled package.

    Metrics carry their numbers as metadata and leave no file.
    """
    spec = next(iter(yaml.safe_load_all(package.read_text(encoding="utf-8"))))
    components: dict[str, Any] = spec["components"]
    found: dict[str, list[str]] = {}

    def visit(tasks: dict[str, Any]) -> None:
        for task in tasks.values():
            component = components[task["componentRef"]["name"]]
            if "dag" in component:
                visit(component["dag"]["tasks"])
                continue
            artifacts = component.get("outputDefinitions", {}).get("artifacts", {})
            found[component["executorLabel"].removeprefix("exec-")] = [
                name
                for name, definition in artifacts.items()
                if definition["artifactType"]["schemaTitle"] != "system.Metrics"
            ]

    visit(spec["root"]["dag"]["tasks"])
    return found


def task_folders(root: Path) -> dict[str, Path]:
    """Task name -> its output folder below a run's pipeline root (which holds one run)."""
    runs = sorted(path for path in root.glob("*") if path.is_dir())
    return {path.name: path for path in sorted(runs[-1].iterdir()) if path.is_dir()} if runs else {}


def verify(package: Path, root: Path) -> dict[str, Path]:
    """Check that every task ran and wrote everything; return the task folders.

    ``kfp.local`` can skip a branch and still report success, so status alone proves nothing.

    Raises:
        KosparseError: Names the tasks and artifacts that are missing.
    """
    folders = {name.replace("-", "_"): path for name, path in task_folders(root).items()}
    missing = []
    for task, artifacts in expected(package).items():
        folder = folders.get(task.replace("-", "_"))
        if folder is None or not (folder / "executor_output.json").exists():
            missing.append(task)
            continue
        missing += [f"{task}/{name}" for name in artifacts if not (folder / name).exists()]
    if missing:
        raise KosparseError(
            f"the graph ended but did not produce: {', '.join(missing)}",
            where=str(root),
            fix="Look at run.log beside it; a skipped branch is a failure.",
        )
    return folders


def mirror(root: Path, run_id: str, store: ObjectStore) -> int:
    """Copy every task's outputs to the object store in the cluster's layout; return how many files."""
    count = 0
    store.ensure_bucket(BUCKET)
    for folder in task_folders(root).values():
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = f"{PREFIX}/kosparse/{run_id}/{folder.name}/{path.relative_to(folder).as_posix()}"
                store.upload(path, BUCKET, key)
                count += 1
    return count
