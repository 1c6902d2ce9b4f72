"""Build the ``cpu`` image for real and run it as a cluster would: ``make images-test``.

The committed Dockerfile is built by buildah on a base made here (``images/stand_in.sh``), because no image
registry need be reachable. Then, without root, network or capabilities and on a read-only root:
``kosparse --help``, an import, and one component under KFP's executor between a stand-in launcher and a
real S3 store.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from benchmarks.image_host import ROOT, build, image_bytes, image_config, run_command
from benchmarks.report import finish
from pipelines import recipes
from pipelines.compile import PACKAGE
from tests.data.make_corpus import write
from tests.fakes.launcher import StandInLauncher

_T = TypeVar("_T")
REPEATS = 3
_IMPORT = "import kfp.dsl, kosparse.steps.ingest_corpus"
_NOT_WANTED = ("gcc", "cc", "g++", "make", "ld", "git")


def main() -> int:
    """Build, run, write ``results/images.json``; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cached", action="store_true", help="take what an earlier build left; its time is left out")
    cold = None if parser.parse_args().cached else _timed(lambda: build("cpu", cached=False))[1]
    image, warm = _timed(lambda: build("cpu"))
    config = image_config(image)
    rows = [
        _row("build, nothing cached", cold, image_bytes(image)),
        _row("build again, layers of dependencies cached", warm),
        _row("an empty container (in all below)", _usual(image, "true")),
        _row("kosparse --help", _usual(image, "kosparse", "--help")),
        _row("import of a step and kfp.dsl", _usual(image, "env", "_KFP_RUNTIME=true", "python3", "-c", _IMPORT)),
    ]
    _check_contents(image, config)
    rows.append(_row("component ingest_corpus, launcher included", _timed(lambda: run_component(image))[1]))
    finish(
        "images",
        rows,
        command="make images-test" if cold else "python -m benchmarks.bench_images --cached",
        notes=[
            "cpu image on a Debian 12 base made by debootstrap in place of python:3.11-slim; built by buildah",
            "run by podman: uid 1000, read-only root, no network, no capabilities",
            f"times of runs: median of {REPEATS} where short",
        ],
        versions={"buildah": _version("buildah"), "podman": _version("podman")},
    )
    return 0


def run_component(image: str) -> None:
    """Run ``ingest_corpus`` from the compiled package in the image; its outputs must reach the store."""
    with _store() as store, tempfile.TemporaryDirectory() as folder:
        mount, corpus = Path(folder) / "minio", Path(folder) / "corpus"
        write(corpus)
        mount.mkdir()
        os.chmod(folder, 0o755)
        os.chmod(mount, 0o777)  # the container's uid is not ours
        launcher = ImageLauncher(image, corpus, store, mount)
        config = recipes.arguments("smoke")["ingest_corpus"]
        parameters = {"corpus": "/corpus", "queries": "", "qrels": "", "query_log": "", "config": config}
        keys = launcher.run("ingest-corpus", parameters, {}, "v2/artifacts/kosparse/images-test")
        for name in ("documents", "passages", "corpus_summary"):
            _check(bool(store.list("mlpipeline", keys[name])), f"ingest_corpus uploaded no {name}")
        summary = json.loads((mount / "mlpipeline" / keys["corpus_summary"]).read_text(encoding="utf-8"))
        _check(summary["documents"] == 40, f"40 documents went in, the summary says {summary['documents']}")


class ImageLauncher(StandInLauncher):
    """The stand-in launcher, with the executor run in a container by the component's own command."""

    def __init__(self, image: str, corpus: Path, store: Any, mount: Path) -> None:
        super().__init__(PACKAGE, store, mount, seen_as=Path("/minio"))
        self.image, self.volumes = image, [f"{mount}:/minio", f"{corpus}:/corpus:ro"]

    def execute(self, container: dict[str, Any], executor_input: dict[str, Any]) -> None:
        """Run the container's command and arguments, as Kubernetes would."""
        given = json.dumps(executor_input)
        command = [given if word == "{{$}}" else word for word in [*container["command"], *container["args"]]]
        _inside(self.image, *command, volumes=self.volumes)


@contextmanager
def _store() -> Iterator[Any]:
    """A real S3 store on loopback."""
    from kosparse.adapters.store_s3 import S3Store as Client
    from kosparse.services.s3 import S3Store

    with tempfile.TemporaryDirectory() as folder, S3Store(Path(folder)) as server:
        yield Client(server.endpoint, server.access_key, server.secret_key, server.region)


def _check_contents(image: str, config: dict[str, Any]) -> None:
    _check(config["User"] == "1000:1000", "the image does not run as uid 1000")
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    labelled = config["Labels"]["org.opencontainers.image.revision"]
    _check(labelled == git.stdout.strip(), f"the label names the commit {labelled}")
    found = _inside(image, "sh", "-c", f"for tool in {' '.join(_NOT_WANTED)}; do command -v $tool; done; true")
    _check(not found.strip(), f"build tools are left in the image: {found.split()}")
    bill = json.loads(_inside(image, "cat", "/opt/kosparse/sbom.json"))
    names = {component["name"] for component in bill["components"]}
    _check({"kosparse", "kfp", "torch", "libc6"} <= names, "the SBOM lacks what is installed")
    _check("kfp-server-api" not in names, "more of kfp is installed than the executor needs")
    _check(_inside(image, "id", "-u").strip() == "1000", "the container runs as another uid")


def _inside(image: str, *command: str, volumes: Sequence[str] = ()) -> str:
    done = subprocess.run(run_command(image, volumes) + list(command), capture_output=True, text=True, check=False)
    _check(done.returncode == 0, f"{' '.join(command)[:80]} failed in the image:\n{done.stderr[-2000:]}")
    return done.stdout


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SystemExit(f"images-test: {otherwise}")


def _usual(image: str, *command: str) -> float:
    """Median seconds of a command in the image, its container included."""
    return median(_timed(lambda: _inside(image, *command))[1] for _ in range(REPEATS))


def _timed(call: Callable[[], _T]) -> tuple[_T, float]:
    started = time.perf_counter()
    return call(), time.perf_counter() - started


def _row(what: str, seconds: float | None, size: int | None = None) -> dict[str, Any]:
    return {
        "what": what,
        "seconds": None if seconds is None else round(seconds, 2),
        "megabytes": round(size / 1e6) if size else None,
    }


def _version(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]


if __name__ == "__main__":
    sys.exit(main())
