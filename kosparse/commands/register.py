"""``kosparse register``: register a finished run's model again, after the registry was away; never a duplicate."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from kosparse.commands.run_folder import task_folder
from kosparse.errors import ServiceError
from kosparse.jsonl import read_json
from kosparse.settings import settings
from kosparse.steps import register_model

_INPUTS = {
    "model": "train-sparse/model",
    "results": "evaluate/results",
    "html": "report/html",
    "summary": "report/summary",
    "dictionary": "enhance-dictionary/dictionary",
}


def register(folder: Path) -> None:
    """Register the model of a finished run.

    Args:
        folder: Of the run; its name is the run's id, by which an earlier registration is found.

    Raises:
        InputError: The folder is not a finished run.
        ServiceError: No registry is named, or it does not answer.
    """
    if not settings().mlflow_uri:
        raise ServiceError("no registry is named", where="MLFLOW_TRACKING_URI", fix="Set it to your MLflow.")
    tasks, given = task_folder(folder), folder / "arguments.json"
    os.environ["KOSPARSE_RUN_ID"] = folder.resolve().name
    config = read_json(given).get("register_model", {}) if given.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / "registration"
        paths = {name: tasks / place for name, place in _INPUTS.items()}
        register_model.run(config=config, registration=written, **paths)
        found = read_json(written)
    print(json.dumps({key: found[key] for key in ("name", "version", "alias", "url")}))
