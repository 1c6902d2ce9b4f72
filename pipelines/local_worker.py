"""Run a compiled package under ``kfp.local``, in a process of its own.

``python -m pipelines.local_worker PACKAGE ARGUMENTS.json ROOT``. The parent reads the events file;
everything KFP prints goes to the run's log.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from unittest import mock

from kfp import components, local

from pipelines.forkserver import ForkServer


def run(package: Path, arguments: dict[str, object], root: Path) -> None:
    """Run every task of the package; outputs land below ``root``.

    Raises:
        RuntimeError: A task failed.
    """
    warnings.filterwarnings("ignore", message="You may be attemping")
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), raise_on_error=True)
    pipeline = components.load_component_from_file(str(package))
    if sys.platform != "linux":  # elsewhere the system's own libraries do not survive a fork
        pipeline(**arguments)
        return
    with ForkServer() as python, mock.patch.object(sys, "executable", python):  # which a runner without venv asks
        pipeline(**arguments)


if __name__ == "__main__":
    run(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")), Path(sys.argv[3]))
