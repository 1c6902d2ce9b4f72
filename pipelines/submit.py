"""Send a compiled pipeline to Kubeflow: ``make submit``, ``make schedule``.

Uploads the package as a version of the pipeline ``kosparse``, or with ``--refresh`` of ``kosparse-refresh`` (named
after the commit and its content, so that the same package is uploaded once), then starts a run of it, or a recurring
one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from kosparse import korean
from kosparse.errors import ConfigError, InputError, KosparseError
from pipelines import recipes
from pipelines.cluster import Cluster
from pipelines.compile import compile_pipeline, compile_refresh
from pipelines.deployment import Placement
from pipelines.revision import git_sha

INPUTS = ("corpus", "queries", "qrels", "query_log")
PLACES = tuple(field.name for field in fields(Placement))
"""Parameters that say where tasks run; the package has defaults for them."""
REFRESH_PLACES = ("cpu_image", "s3_secret", "llm_secret")
"""Those that a refresh has, too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and submit; the exit status is 1 when a followed run did not succeed."""
    options = _parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _submit(options, _package(options, Path(folder) / "package.yaml"))
    except KosparseError as error:
        print(f"kosparse: {korean.message(error)}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="", help="address of Kubeflow Pipelines; empty inside a cluster")
    parser.add_argument("--namespace", default="", help="whose runs; needed where Kubeflow has many users")
    parser.add_argument("--experiment", default="", help="default kosparse")
    parser.add_argument("--service-account", default="", help="of the run's pods; default: the server's")
    parser.add_argument("--recipe", default="small", help=f"{', '.join(recipes.RECIPES)}, and +variant (default small)")
    parser.add_argument("--corpus", default="", help="s3://bucket/key, reachable from the cluster")
    parser.add_argument(
        "--refresh",
        default="",
        metavar="RUN",
        help="bring a finished run to the corpus as it is now instead of training: s3://bucket/prefix of its outputs, "
        "after a blank those of runs it took from the cache",
    )
    parser.add_argument("--queries", default="", help="likewise: real queries, for evaluation")
    parser.add_argument("--qrels", default="", help="likewise: judgements for those queries")
    parser.add_argument("--query-log", default="", help="likewise: what people typed")
    parser.add_argument(
        "--parameters", type=Path, help=f"YAML or JSON: {', '.join(INPUTS + PLACES)}, and settings by step"
    )
    parser.add_argument("--gpus", type=int, help="of each step that asks for one; 0 on a cluster without (default 1)")
    parser.add_argument("--set", action="append", default=[], metavar="STEP.KEY=VALUE", help="repeatable; goes last")
    parser.add_argument("--cron", default="", help="make it a recurring run: six fields, seconds first")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="take nothing from Kubeflow's cache: the corpus has changed below its address (a recurring run never)",
    )
    parser.add_argument("--wait", action="store_true", help="follow the run; the exit status is its result")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    return parser


def _package(options: argparse.Namespace, path: Path) -> Path:
    if options.refresh:
        return compile_refresh(path)
    compile_pipeline(path)
    if options.fresh or options.cron:
        _forget_cache(path)
    return path


def _forget_cache(package: Path) -> None:
    """Let no task be served from Kubeflow's cache: its key holds the corpus's address, not what is there today."""
    spec, *platform = yaml.safe_load_all(package.read_text(encoding="utf-8"))
    for part in (spec["root"], *spec["components"].values()):
        for task in part.get("dag", {}).get("tasks", {}).values():
            task["cachingOptions"] = {}
    with open(package, "w", encoding="utf-8") as file:
        yaml.safe_dump_all([spec, *platform], file, allow_unicode=True)


def _submit(options: argparse.Namespace, package: Path) -> int:
    parameters = _parameters(options)
    pipeline, name = ("kosparse-refresh",) * 2 if options.refresh else ("kosparse", f"kosparse {options.recipe}")
    version = _version(package)
    if options.dry_run:
        shown = {"host": options.host, "namespace": options.namespace, "version": version, "cron": options.cron}
        print(json.dumps({**shown, "parameters": parameters}, ensure_ascii=False, indent=2))
        return 0
    cluster = Cluster(options.host, options.namespace)
    uploaded = cluster.upload(package, pipeline, version)
    how = {"experiment": options.experiment or "kosparse", "service_account": options.service_account}
    if options.cron:
        recurring = cluster.schedule(uploaded, name, parameters, cron=options.cron, **how)
        print(f"recurring run {recurring}, version {version}\n{cluster.schedule_page(recurring)}")
        return 0
    run = cluster.start(uploaded, name, parameters, **how)
    print(f"run {run}, version {version}\n{cluster.run_page(run)}", flush=True)
    if not options.wait:
        return 0
    state = cluster.follow(run, lambda line: print(line, flush=True))
    print(f"run {run}: {state.lower()}")
    return 0 if state == "SUCCEEDED" else 1


def _parameters(options: argparse.Namespace) -> dict[str, Any]:
    """The pipeline's parameters: the recipe, then the file, then the command line."""
    runs = options.refresh.split()
    given = _read(options.parameters) if options.parameters else {}
    inputs = {name: getattr(options, name) or str(given.pop(name, "")) for name in INPUTS}
    if not inputs["corpus"]:
        raise ConfigError("CORPUS is not given", where="make submit", fix="Add CORPUS=s3://bucket/key.")
    unused = [name for name in INPUTS[1:] if runs and inputs[name]]
    if unused:
        raise ConfigError(
            "a refresh reads documents alone", where=unused[0].upper(), fix="Leave it out, or train anew."
        )
    for name, place in [*inputs.items(), *(("refresh", run) for run in runs)]:
        if place and not place.startswith("s3://"):
            raise ConfigError(
                f"the cluster cannot read {place!r}",
                where=name.upper(),
                fix="Copy it to the object store and name it as s3://bucket/key.",
            )
    places = {name: given.pop(name) for name in PLACES if name in given}
    if "cpu_request" in places:  # 8 is a number in YAML, and a quantity in Kubernetes
        places["cpu_request"] = str(places["cpu_request"])
    if options.gpus is not None:
        places["gpus"] = options.gpus
    asked = given.get("serve_llm", {})
    if places.get("gpus") == 0 and isinstance(asked, dict):  # nor would a server that asks for one ever start
        given["serve_llm"] = {"gpus": 0, **asked}
    steps = recipes.arguments(options.recipe, options.set, given)
    if not runs:
        return {**inputs, **_train_gpus(places, steps), **places, **steps}
    places = {name: value for name, value in places.items() if name in REFRESH_PLACES}
    return {"run": options.refresh, "corpus": inputs["corpus"], "settings": steps, **places}


def _train_gpus(places: Mapping[str, Any], steps: recipes.Overrides) -> dict[str, Any]:
    """GPUs of ``train_sparse`` itself, where they follow from something that is given."""
    if steps["train_sparse"]["nodes"] > 1:
        return {"train_gpus": 0}
    return {"train_gpus": places["gpus"]} if "gpus" in places else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).split("\n", 1)[0]
        raise InputError(
            f"the parameters cannot be read: {reason}", where=str(path), fix="Write YAML or JSON."
        ) from error
    if not isinstance(found, dict):
        raise InputError(
            "the parameters are not a mapping",
            where=str(path),
            fix="Write `corpus: s3://...` and `step: {key: value}`.",
        )
    return found


def _version(package: Path) -> str:
    """The commit where there is one, and a hash of the package: equal packages have equal names."""
    digest = hashlib.sha256(package.read_bytes()).hexdigest()[:8]
    return "-".join(filter(None, (git_sha()[:12], digest)))


if __name__ == "__main__":
    sys.exit(main())
