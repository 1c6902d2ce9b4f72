"""Compile the graph into a pipeline package: ``python -m pipelines.compile [file]``."""

from __future__ import annotations

import sys
from pathlib import Path

from kfp import compiler

PACKAGE = Path(__file__).with_name("kosparse.yaml")
"""The committed package. Compare it as parsed documents: its header comment varies from compile to compile."""


def compile_pipeline(path: Path = PACKAGE) -> Path:
    """Write the pipeline package and return where."""
    from pipelines.retrieval import kosparse_pipeline

    path.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(kosparse_pipeline, str(path))
    return path


if __name__ == "__main__":
    print(compile_pipeline(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE))
