"""Builds by buildah and runs by podman where no Docker engine is: what ``bench_images`` stands on."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BASE = "localhost/kosparse-base:bookworm"
"""Made by ``images/stand_in.sh``."""
_CARRIED = ("index-url", "find-links", "cert", "proxy", "default-timeout", "retries")
"""pip's settings that tell how this machine reaches packages."""


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


def run_command(image: str, volumes: Sequence[str] = ()) -> list[str]:
    """How a cluster runs it: not root, no capabilities, nothing writable but ``/tmp`` and what is mounted."""
    rights = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=none"]
    scratch = ["--tmpfs=/tmp:rw,mode=1777", "--tmpfs=/cache:rw,mode=1777"]
    engine = ["podman", "--runtime=runc", "--cgroup-manager=cgroupfs", "run", "--rm", "--pull=never"]
    limits = ["--ulimit=nofile=20000:20000", "--ulimit=nproc=4096:4096"]
    mounts = [f"--volume={volume}" for volume in volumes]
    return [*engine, *limits, *rights, *scratch, *mounts, f"localhost/{image}"]


def image_bytes(image: str) -> int:
    """Size of the image, its base included."""
    return int(_inspect(image)["Size"])


def image_config(image: str) -> dict[str, Any]:
    """The image's OCI configuration: ``User``, ``Labels``, ``Env``."""
    return dict(_inspect(image)["Config"])


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
