"""SHA-256 of files and folders: what a model or bundle is recognised by."""

from __future__ import annotations

import hashlib
from pathlib import Path


def file_hash(path: Path) -> str:
    """SHA-256 of one file's bytes, as hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_of(folder: Path) -> list[Path]:
    """All files below a folder, sorted by relative path."""
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.relative_to(folder))


def folder_hash(folder: Path) -> str:
    """SHA-256 over the relative path and the hash of every file below a folder."""
    digest = hashlib.sha256()
    for path in files_of(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{file_hash(path)}\n".encode())
    return digest.hexdigest()


def document_side_hash(model: Path) -> str:
    """Hash of what weighs documents: new query weights alone do not change it."""
    sides = sorted(path for path in model.glob("document_*") if path.is_dir())
    return hashlib.sha256("".join(map(folder_hash, sides)).encode()).hexdigest() if sides else folder_hash(model)
