"""The commit this code is of."""

from __future__ import annotations

import shutil
import subprocess

from kosparse.settings import settings


def git_sha() -> str:
    """Told by the image in a container, where there is no git, else asked of git; empty where nobody knows."""
    told = settings().git_sha
    if told or not shutil.which("git"):
        return told
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
