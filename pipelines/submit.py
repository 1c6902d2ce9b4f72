"""Send the compiled pipeline to Kubeflow: ``python -m pipelines.submit --host URL --corpus s3://...``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kosparse.errors import ConfigError, KosparseError, ServiceError
from pipelines import recipes
from pipelines.compile import compile_pipeline


def submit(
    host: str, arguments: dict[str, Any], *, name: str, namespace: str = "", experiment: str = "kosparse"
) -> tuple[str, str]:
    """Start one run of the freshly compiled package; return its id and its page in the UI.

    ``KFP_TOKEN`` in the environment is sent as the bearer token.

    Raises:
        ServiceError: The host cannot be reached or refuses the run.
    """
    import kfp

    try:
        client = kfp.Client(
            host=host, namespace=namespace or "kubeflow", existing_token=os.environ.get("KFP_TOKEN") or None
        )
        with tempfile.TemporaryDirectory() as folder:
            package = compile_pipeline(Path(folder) / "kosparse.yaml")
            run = client.create_run_from_pipeline_package(
                str(package),
                arguments=arguments,
                run_name=name,
                experiment_name=experiment or "kosparse",
                namespace=namespace or None,
            )
    except Exception as error:  # the client raises its HTTP layer's errors as they are
        reason = str(error).strip().split("\n", 1)[0]
        raise ServiceError(
            f"Kubeflow did not take the run: {type(error).__name__}: {reason}",
            where=host,
            fix="Check HOST, NAMESPACE and KFP_TOKEN; the host is the address of the KFP API or its UI.",
        ) from error
    return run.run_id, f"{host.rstrip('/')}/#/runs/details/{run.run_id}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and submit; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--namespace", default="")
    parser.add_argument("--experiment", default="kosparse")
    parser.add_argument("--recipe", default="small")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--queries", default="")
    parser.add_argument("--qrels", default="")
    parser.add_argument("--set", action="append", default=[], metavar="STEP.KEY=VALUE")
    options = parser.parse_args(arguments)
    try:
        for option in ("host", "corpus"):
            if not getattr(options, option):
                raise ConfigError(
                    f"{option.upper()} is not given", where="make submit", fix=f"Add {option.upper()}=..."
                )
        configs = recipes.arguments(options.recipe, options.set)
        inputs = {"corpus": options.corpus, "queries": options.queries, "qrels": options.qrels}
        run_id, page = submit(
            options.host,
            {**inputs, **configs},
            name=f"kosparse {options.recipe}",
            namespace=options.namespace,
            experiment=options.experiment,
        )
    except KosparseError as error:
        print(f"kosparse: {error.message}", file=sys.stderr)
        return error.exit_code
    print(f"run {run_id}\n{page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
