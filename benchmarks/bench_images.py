"""Build images for real and run them as a cluster would: ``make images-test``.

The committed Dockerfiles are built by buildah on a base made here (``images/stand_in.sh``), because no image
registry need be reachable. Then, without root or capabilities and on a read-only root: ``kosparse --help`` and
``doctor``, what each step imports, one component without any network, and every task of the graph beside a real S3
store and MLflow. What was planted where the image was built must be in none of its layers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.image_graph import run_alone, run_graph, services
from benchmarks.image_host import (
    HOW,
    ROOT,
    Row,
    build,
    check,
    image_bytes,
    image_config,
    inside,
    row,
    timed,
    versions,
)
from benchmarks.image_secrets import check_secrets, planted
from benchmarks.report import finish
from kosparse.steps import STEPS
from pipelines.deployment import GPU_STEPS

REPEATS = 3
MOST_SECONDS = 2.0
"""From a step's start to its first line."""
_NOT_WANTED = ("gcc", "cc", "g++", "make", "ld", "git")


def main() -> int:
    """Build, run, write ``results/images.json``; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cached", action="store_true", help="take what an earlier build left; its time is left out")
    with planted() as secrets:
        cold = None if parser.parse_args().cached else timed(build, "cpu", cached=False)[1]
        image, warm = timed(build, "cpu")
        rows = [
            row("build, nothing cached", cold, image_bytes(image)),
            row("build again, layers of dependencies cached", warm),
        ]
        check_contents(image, image_config(image))
        check_secrets(image, secrets)
        rows += run_cpu(image)
    finish(
        "images",
        rows,
        command="make images-test" if cold else "python -m benchmarks.bench_images --cached",
        notes=[
            f"cpu image {HOW}",
            f"--help and an empty container: median of {REPEATS}; other runs once, containers included",
            f"the smoke pipeline is in the cpu image alone, what belongs to gpu included: {', '.join(GPU_STEPS)}",
        ],
        versions=versions(),
    )
    return 0


def run_cpu(image: str) -> list[Row]:
    """What the ``cpu`` image is for."""
    rows = [
        row("an empty container (in all below)", _usual(image, "true")),
        row("kosparse --help", _usual(image, "kosparse", "--help")),
        slowest_import(image),
        row("kosparse doctor, without services", timed(check_doctor, image, {})[1]),
        row("component ingest_corpus, without network", run_alone(image)),
    ]
    with tempfile.TemporaryDirectory() as folder, services(Path(folder)) as environment:
        rows.append(row("kosparse doctor, beside services", timed(check_doctor, image, environment)[1]))
        seconds = run_graph(image, environment)
    slowest = max(seconds, key=lambda task: seconds[task])
    rows.append(row(f"smoke pipeline, {len(seconds)} components one by one", sum(seconds.values())))
    rows.append(row(f"the slowest of them, {slowest}", seconds[slowest]))
    return rows


def slowest_import(image: str) -> Row:
    """Every step of the image, imported as KFP's executor does before a component's first line.

    Processor seconds are taken, because other work on the machine stretches the others.
    """
    seconds = {}
    for step in STEPS:
        if step not in GPU_STEPS:
            code = f"import kfp.dsl.executor_main, kosparse.steps.{step}, time; print(time.process_time())"
            seconds[step] = float(inside(image, "env", "_KFP_RUNTIME=true", "python3", "-c", code))
    slowest = max(seconds, key=lambda step: seconds[step])
    check(seconds[slowest] < MOST_SECONDS, f"{slowest} takes {seconds[slowest]:.2f} s to its first line")
    return row(f"to the first line in processor seconds, worst of {len(seconds)} steps: {slowest}", seconds[slowest])


def check_doctor(image: str, environment: Mapping[str, str]) -> None:
    """``kosparse doctor`` finds what the image holds, and what stands beside it."""
    network = "host" if environment else "none"
    command = ["sh", "-c", "kosparse doctor --json; echo status $? >&2"]
    told = inside(image, *command, environment=environment, network=network)
    states = {line["name"]: line["state"] for line in map(json.loads, told.splitlines())}
    print(f"doctor: {states}")
    check(states["python"] == states["packages"] == "ok", f"doctor misses what the image should hold:\n{told}")
    wanted = "ok" if environment else "fail"  # the cpu image starts no service of its own, and says so
    for service in ("S3", "MLflow"):
        check(states[service] == wanted, f"doctor finds {service} {states[service]}, not {wanted}:\n{told}")
    check(states["LLM"] == ("ok" if environment else "warn"), f"doctor finds the LLM {states['LLM']}:\n{told}")


def check_contents(image: str, config: Mapping[str, Any]) -> None:
    """User, label, no build tools, SBOM."""
    check(config["User"] == "1000:1000", "the image does not run as uid 1000")
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    labelled = config["Labels"]["org.opencontainers.image.revision"]
    check(labelled == git.stdout.strip(), f"the label names the commit {labelled}")
    found = inside(image, "sh", "-c", f"for tool in {' '.join(_NOT_WANTED)}; do command -v $tool; done; true")
    check(not found.strip(), f"build tools are left in the image: {found.split()}")
    bill = json.loads(inside(image, "cat", "/opt/kosparse/sbom.json"))
    names = {component["name"] for component in bill["components"]}
    check({"kosparse", "kfp", "torch", "libc6"} <= names, "the SBOM lacks what is installed")
    check("kfp-server-api" not in names, "more of kfp is installed than the executor needs")
    check(inside(image, "id", "-u").strip() == "1000", "the container runs as another uid")


def _usual(image: str, *command: str) -> float:
    """Median seconds of a command in the image, its container included."""
    return median(timed(inside, image, *command)[1] for _ in range(REPEATS))


if __name__ == "__main__":
    sys.exit(main())
