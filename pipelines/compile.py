"""Compile the graphs into pipeline packages: ``python -m pipelines.compile [FILE] [--kubernetes]``.

Without a file both are written where they are committed; with one, the first alone.
With ``--kubernetes`` the same is written as objects (Pipeline and PipelineVersion), for a KFP server that keeps
pipelines in Kubernetes: ``kubectl apply -f``, or a GitOps repository.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kfp import compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions

import kosparse

PACKAGE = Path(__file__).with_name("kosparse.yaml")
"""The committed package. Compare it as parsed documents: its header comment varies from compile to compile."""
REFRESH = Path(__file__).with_name("refresh.yaml")
"""Likewise, of the graph that refreshes a run."""


def compile_pipeline(path: Path = PACKAGE) -> Path:
    """Write the pipeline package and return where."""
    from pipelines.retrieval import kosparse_pipeline

    return _compile(kosparse_pipeline(), path)


def compile_refresh(path: Path = REFRESH) -> Path:
    """Write the package of the graph that refreshes a run, and return where."""
    from pipelines.refresh import refresh_pipeline

    return _compile(refresh_pipeline, path)


def compile_manifests(path: Path, namespace: str = "") -> Path:
    """Write the pipeline as Kubernetes objects and return where.

    Args:
        path: File to write.
        namespace: Of the objects; empty leaves it to whoever applies them.
    """
    from pipelines.retrieval import kosparse_pipeline

    path.parent.mkdir(parents=True, exist_ok=True)
    options = KubernetesManifestOptions(
        pipeline_name="kosparse",
        pipeline_display_name="kosparse",
        pipeline_version_name=f"kosparse-{kosparse.__version__.replace('.', '-')}",
        pipeline_version_display_name=kosparse.__version__,
        namespace=namespace or None,
        include_pipeline_manifest=True,
    )
    compiler.Compiler().compile(
        kosparse_pipeline(), str(path), kubernetes_manifest_format=True, kubernetes_manifest_options=options
    )
    return path


def _compile(pipeline: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(pipeline, str(path))
    return path


def main() -> None:
    """Parse the command line, compile, print where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "file", nargs="?", type=Path, help="default: pipelines/kosparse.yaml and refresh.yaml, or kosparse.k8s.yaml"
    )
    parser.add_argument("--kubernetes", action="store_true", help="as Pipeline and PipelineVersion objects")
    parser.add_argument("--namespace", default="", help="of the objects")
    options = parser.parse_args()
    if options.kubernetes:
        print(compile_manifests(options.file or PACKAGE.with_suffix(".k8s.yaml"), options.namespace))
    elif options.file:
        print(compile_pipeline(options.file))
    else:
        print(compile_pipeline(), compile_refresh(), sep="\n")


if __name__ == "__main__":
    main()
