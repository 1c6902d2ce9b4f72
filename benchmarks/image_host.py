"""Builds by buildah and runs by podman where no Docker engine is: what ``bench_images`` stands on."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

ROOT = Path(__file__).parents[1]
BASE = "localhost/kosparse-base:bookworm"
"""Made by ``images/stand_in.sh``."""
HOW = "on a Debian 12 base made by debootstrap; built by buildah, run by podman as uid 1000 on a read-only root"
"""A note for results."""
USER = 1000
"""Uid and gid of the images."""
_CARRIED = ("index-url", "find-links", "cert", "proxy", "default-timeout", "retries")
"""pip's settings that tell how this machine reaches packages."""
_PODMAN = ("podman", "--runtime=runc", "--cgroup-manager=cgroupfs")
Row = dict[str, Any]
"""Of a result: ``what``, ``seconds``, ``megabytes``."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


def build(image: str, *, cached: bool = True) -> str:
    """Build one image by ``images/images.sh`` from the committed Dockerfile; return its name.

    What this machine needs to reach its package registry goes along as mounts, so that neither the
    Dockerfile nor the image knows of it: pip's settings, and the files and folders they name.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8") as settings:
        given = _pip_settings()
        given.write(settings)
        settings.flush()
        os.chmod(settings.name, 0o644)
        mounts = {settings.name: "/etc/pip.conf"} | {path: path for path in _paths(given)}
        arguments = " ".join(f"--volume {source}:{target}:ro" for source, target in mounts.items())
        if given.has_option("global", "find-links"):  # torch's CPU build is at hand
            arguments += " --build-arg TORCH_INDEX="
        environment = {
            **os.environ,
            "ENGINE": "buildah",
            "BASE": BASE,
            "BUILD_ARGS": f"--isolation chroot --pull-never --layers {'' if cached else '--no-cache'} {arguments}",
        }
        done = subprocess.run(
            ["bash", "images/images.sh", "build", image], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
    if done.returncode != 0:
        raise SystemExit(f"images-test: the {image} image could not be built; the reason is above")
    return re.findall(rf"images: (kosparse-{image}:\S+):", done.stdout)[-1]


def run_command(
    image: str,
    volumes: Sequence[str] = (),
    *,
    network: str = "none",
    tmpfs: Iterable[str] = ("/tmp", "/cache"),
    environment: Mapping[str, str] | None = None,
    more: Sequence[str] = (),
) -> list[str]:
    """How a cluster runs it: not root, no capabilities, nothing writable but what is mounted.

    Args:
        image: Its name.
        volumes: ``source:target[:ro]``.
        network: ``none``, ``host``, or ``container:<name>`` to share that container's.
        tmpfs: Folders in memory that it may write.
        environment: Its variables.
        more: Of podman's options.
    """
    rights = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", f"--network={network}"]
    scratch = [f"--tmpfs={folder}:rw,mode=1777" for folder in tmpfs]
    limits = ["--ulimit=nofile=20000:20000", "--ulimit=nproc=4096:4096"]
    mounts = [f"--volume={volume}" for volume in volumes]
    given = [f"--env={name}={value}" for name, value in (environment or {}).items()]
    options = ["--pull=never", *limits, *rights, *scratch, *mounts, *given, *more]
    return [*_PODMAN, "run", *options, f"localhost/{image}"]


def inside(image: str, *command: str, **options: Any) -> str:
    """Run a command in the image and return what it printed; options are those of ``run_command``."""
    done = _run([*run_command(image, more=["--rm"], **options), *command])
    check(done.returncode == 0, f"{' '.join(command)[:80]} failed in the image:\n{done.stderr[-3000:]}")
    return done.stdout


@contextmanager
def started(
    name: str,
    image: str,
    command: Sequence[str],
    *,
    probe: Sequence[str],
    seconds: float,
    more: Sequence[str] = (),
    **options: Any,
) -> Iterator[Callable[..., str]]:
    """A container that runs for a while; yields, once its probe succeeds, what runs a command in it.

    Args:
        name: Of the container.
        image: Its name.
        command: What it runs.
        probe: A command that ends with status 0 when it is ready.
        seconds: How long it may take to be ready.
        more: Of podman's options.
        options: Of ``run_command``.
    """

    def execute(*words: str) -> str:
        done = _run([*_PODMAN, "exec", name, *words])
        check(done.returncode == 0, f"{' '.join(words)[:80]} failed in {name}:\n{done.stderr[-3000:]}\n{log()}")
        return done.stdout

    def log() -> str:
        done = _run([*_PODMAN, "logs", "--tail=200", name])
        return done.stdout + done.stderr

    own = [f"--name={name}", "--detach", *more]
    done = _run([*run_command(image, more=own, **options), *command])
    check(done.returncode == 0, f"{name} does not start:\n{done.stderr[-3000:]}")
    try:
        deadline = time.monotonic() + seconds
        while _run([*_PODMAN, "exec", name, *probe]).returncode != 0:
            runs = (
                _run([*_PODMAN, "container", "inspect", "--format={{.State.Running}}", name]).stdout.strip() == "true"
            )
            waiting = runs and time.monotonic() < deadline
            check(waiting, f"{name} ended, or is not ready after {seconds:.0f} s:\n{log()}")
            time.sleep(1)
        yield execute
    finally:
        _run([*_PODMAN, "rm", "--force", "--time=10", name])


def check(holds: bool, otherwise: str) -> None:
    """End the test with what is wrong unless it holds."""
    if not holds:
        raise SystemExit(f"images-test: {otherwise}")


def timed(call: Callable[_P, _T], *words: _P.args, **options: _P.kwargs) -> tuple[_T, float]:
    """What a call returns, and its seconds."""
    began = time.perf_counter()
    return call(*words, **options), time.perf_counter() - began


def row(what: str, seconds: float | None, size: int | None = None) -> Row:
    """A line of a result; the size is in bytes."""
    rounded = None if seconds is None else round(seconds, 2)
    return {"what": what, "seconds": rounded, "megabytes": round(size / 1e6) if size else None}


def versions() -> dict[str, str]:
    """Of what builds and what runs."""
    return {name: _run([name, "--version"]).stdout.split()[2] for name in ("buildah", "podman")}


def hand_over(folder: Path) -> None:
    """Give a folder and all that is in it to the uid of the images."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, USER)


def image_bytes(image: str) -> int:
    """Size of the image, its base included."""
    return int(_inspect(image)["Size"])


def image_config(image: str) -> dict[str, Any]:
    """The image's OCI configuration: ``User``, ``Labels``, ``Env``."""
    return dict(_inspect(image)["Config"])


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _inspect(image: str) -> dict[str, Any]:
    done = subprocess.run(["podman", "image", "inspect", f"localhost/{image}"], capture_output=True, check=True)
    [found] = json.loads(done.stdout)
    return dict(found)


def _pip_settings() -> configparser.ConfigParser:
    """pip's settings here, its environment variables included."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings = configparser.ConfigParser(interpolation=None)
    settings.add_section("global")
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key in _CARRIED:
            settings.set("global", key, value.strip("'\""))
    return settings


def _paths(settings: configparser.ConfigParser) -> set[str]:
    """Files and folders of this machine that the settings name."""
    words = " ".join(settings["global"].values()).split()
    return {word for word in words if word.startswith("/") and Path(word).exists()}
