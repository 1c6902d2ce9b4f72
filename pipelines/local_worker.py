"""Run a compiled package under ``kfp.local``, in a process of its own.

``python -m pipelines.local_worker PACKAGE ARGUMENTS.json ROOT``. The parent reads the events file;
everything KFP prints goes to the run's log.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from kfp import components, local


def run(package: Path, arguments: dict[str, object], root: Path) -> None:
    """Run every task of the package; outputs land below ``root``.

    Raises:
        RuntimeError: A task failed.
    """
    warnings.filterwarnings("ignore", message="You may be attemping")
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), raise_on_error=True)
    components.load_component_from_file(str(package))(**arguments)


if __name__ == "__main__":
    run(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")), Path(sys.argv[3]))
