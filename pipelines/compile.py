"""Compile the graph into a pipeline package: ``python -m pipelines.compile [FILE] [--kubernetes]``.

With ``--kubernetes`` the same is written as objects (Pipeline and PipelineVersion), for a KFP server that keeps
pipelines in Kubernetes: ``kubectl apply -f``, or a GitOps repository.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kfp import compiler
from kfp.compiler.compiler_utils import KubernetesManifestOptions

import kosparse

PACKAGE = Path(__file__).with_name("kosparse.yaml")
"""The committed package. Compare it as parsed documents: its header comment varies from compile to compile."""


def compile_pipeline(path: Path = PACKAGE) -> Path:
    """Write the pipeline package and return where."""
    from pipelines.retrieval import kosparse_pipeline

    path.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(kosparse_pipeline, str(path))
    return path


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
        kosparse_pipeline, str(path), kubernetes_manifest_format=True, kubernetes_manifest_options=options
    )
    return path


def main() -> None:
    """Parse the command line, compile, print where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="default: pipelines/kosparse.yaml, or .k8s.yaml beside it")
    parser.add_argument("--kubernetes", action="store_true", help="as Pipeline and PipelineVersion objects")
    parser.add_argument("--namespace", default="", help="of the objects")
    options = parser.parse_args()
    if options.kubernetes:
        print(compile_manifests(options.file or PACKAGE.with_suffix(".k8s.yaml"), options.namespace))
    else:
        print(compile_pipeline(options.file or PACKAGE))


if __name__ == "__main__":
    main()
