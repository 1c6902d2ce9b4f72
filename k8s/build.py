"""Build an overlay with kustomize: ``kustomize`` or ``kubectl`` of the PATH, else the one that set-up brought."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from kosparse.errors import ConfigError, ServiceError

ROOT = Path(__file__).parent
_INSTALLED = ROOT.parent / ".venvs" / "kubectl" / "bin" / "kubectl"

Document = dict[str, Any]
"""One Kubernetes object."""


def overlays(root: Path = ROOT) -> list[str]:
    """Names of all overlays, sorted."""
    return sorted(path.parent.name for path in (root / "overlays").glob("*/kustomization.yaml"))


def build(overlay: str, root: Path = ROOT) -> list[Document]:
    """The objects of an overlay.

    Raises:
        ConfigError: There is no such overlay, or kustomize refuses it.
        ServiceError: There is no kustomize.
    """
    if overlay not in overlays(root):
        raise ConfigError(
            f"there is no overlay {overlay!r}", where="OVERLAY", fix=f"Overlays: {', '.join(overlays(root))}."
        )
    return build_folder(root / "overlays" / overlay)


def build_folder(folder: Path) -> list[Document]:
    """The objects of a folder that has a ``kustomization.yaml``."""
    done = subprocess.run([*kustomize(), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise ConfigError(f"kustomize refuses it: {reason[0]}", where=str(folder), fix="Mend the kustomization.")
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def kustomize() -> list[str]:
    """The command that builds a folder."""
    if path := shutil.which("kustomize"):
        return [path, "build"]
    return [kubectl(), "kustomize"]


def kubectl() -> str:
    """Where kubectl is.

    Raises:
        ServiceError: Neither on the PATH nor set up.
    """
    if path := shutil.which("kubectl"):
        return path
    if _INSTALLED.exists():
        return str(_INSTALLED)
    raise ServiceError(
        "there is no kubectl", where="PATH", fix="Install kubectl, or run `bash requirements/setup.sh kubectl`."
    )
