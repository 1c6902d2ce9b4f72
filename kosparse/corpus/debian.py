"""Debian packages without a root install: download, unpack, read."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from kosparse.errors import InputError, ServiceError

_TIMEOUT_SECONDS = 600


def unpack_packages(names: Sequence[str], folder: Path) -> dict[str, str]:
    """Download packages from the machine's own Debian or Ubuntu mirrors and unpack them below ``folder``.

    Nothing is installed and no root is needed: where the machine's package lists are empty, private
    ones are fetched into ``folder``.

    Returns:
        Version by package name.

    Raises:
        InputError: This machine has no apt-get or dpkg.
        ServiceError: No mirror serves the packages.
    """
    _require_tools(names)
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    _download(names, downloads, folder / "apt")
    for package in sorted(downloads.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(folder)], downloads)
    return dict(sorted(_name_and_version(package, downloads) for package in downloads.glob("*.deb")))


def _require_tools(names: Sequence[str]) -> None:
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise InputError(
            f"the sample corpus comes from the Debian packages {', '.join(names)}, and this machine has no "
            + " and no ".join(missing),
            where="PATH",
            fix="Use your own documents: make run CORPUS=my.jsonl (a BEIR folder or a .jsonl file).",
        )


def _download(names: Sequence[str], folder: Path, private: Path) -> None:
    """Fetch the .deb files, with the machine's package lists or, failing that, fresh private ones."""
    if _run(["apt-get", "download", *names], folder, check=False).returncode == 0:
        return
    options = _private_lists(private)
    update = _run(["apt-get", *options, "update"], folder, check=False)
    download = _run(["apt-get", *options, "download", *names], folder, check=False)
    if download.returncode != 0:
        reason = (download.stderr + update.stderr).strip()[-600:]
        raise ServiceError(
            f"apt-get could not download {', '.join(names)}: {reason}",
            where="the mirrors in /etc/apt",
            fix="Check the network, run `apt-get update`, or use your own documents: make run CORPUS=my.jsonl",
        )


def _private_lists(folder: Path) -> list[str]:
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"]


def _name_and_version(package: Path, folder: Path) -> tuple[str, str]:
    shown = _run(["dpkg-deb", "--show", "--showformat=${Package}\t${Version}", str(package)], folder)
    name, version = shown.stdout.strip().split("\t")
    return name, version


def _run(command: list[str], folder: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(
            f"{' '.join(command[:2])} gave no answer for {_TIMEOUT_SECONDS} s",
            where="the mirrors in /etc/apt",
            fix="Check the network, then run again.",
        ) from error
    if check and done.returncode != 0:
        raise ServiceError(
            f"{' '.join(command[:2])} failed: {done.stderr.strip()[-600:]}",
            where=str(folder),
            fix="Check free disk space, then run again.",
        )
    return done
