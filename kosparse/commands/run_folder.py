"""Where a run keeps what: ``outputs/<pipeline>/<task>/<artifact>``, and short names for what people look for."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kosparse.errors import InputError, KosparseError

SHORT_NAMES = {
    "model": ("train_sparse", "model"),
    "documents.jsonl": ("ingest_corpus", "documents"),
    "datasheet.html": ("ingest_corpus", "datasheet"),
    "rejects.jsonl": ("ingest_corpus", "rejects"),
    "flags.jsonl": ("ingest_corpus", "flags"),
    "dataset": ("filter_pairs", "dataset"),
    "passages.jsonl": ("ingest_corpus", "passages"),
    "dictionary.jsonl": ("enhance_dictionary", "dictionary"),
    "synonyms": ("enhance_dictionary", "synonyms"),
    "report.html": ("report", "html"),
    "bundle": ("export_opensearch", "bundle"),
    "results": ("evaluate", "results"),
    "index": ("evaluate", "results/index"),
}
"""Name in the run's folder -> task and artifact it points to."""


def task_folder(folder: Path) -> Path:
    """Where a finished run keeps the outputs of its tasks.

    Raises:
        InputError: The folder is not a finished run.
    """
    found = sorted(path for path in (folder / "outputs").glob("*") if (path / "train-sparse").is_dir())
    if not found:
        raise InputError("this is not a finished run", where=str(folder), fix="Run `make run` first, or name --run.")
    return found[-1]


def link_outputs(run: Path, folders: Mapping[str, Path]) -> None:
    """Give the outputs people look for a short path in the run's folder.

    Args:
        run: The run's folder.
        folders: Task -> folder of its outputs; what a task did not write gets no short path.
    """
    for name, (task, artifact) in SHORT_NAMES.items():
        target = folders[task] / artifact if task in folders else None
        if target is None or not target.exists():
            continue
        if name.endswith(".html"):
            # Browsers follow a link and go by the name at its end, which has no suffix.
            shutil.copyfile(target, run / name)
        else:
            (run / name).symlink_to(os.path.relpath(target, run))


@contextmanager
def hold(lock: Path, taken: KosparseError) -> Iterator[None]:
    """Hold a lock file, for one process at a time.

    Raises:
        KosparseError: ``taken``, when another holds it.
    """
    with open(lock, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise taken from error
        yield


def point_latest(run: Path) -> None:
    """Let ``latest`` beside the run point to it, atomically."""
    fresh = run.parent / ".latest"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(run.name)
    os.replace(fresh, run.parent / "latest")
