"""Credentials planted where an image is built, and the search of the image for them."""

from __future__ import annotations

import os
import secrets
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from unittest.mock import patch

from benchmarks.image_host import ROOT, check, image_config

NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "LLM_API_KEY", "OPENSEARCH_PASSWORD")
_PIECE = 1 << 20


@contextmanager
def planted(root: Path = ROOT) -> Iterator[list[str]]:
    """Values that are in this process's environment and in ``compose.env`` for a while.

    A ``compose.env`` that is there already stays as it is, and its values are among those yielded.
    """
    values = {name: f"planted-{secrets.token_hex(16)}" for name in NAMES}
    file = root / "compose.env"
    lines = "".join(f"{name}={secrets.token_hex(16)}\n" for name in NAMES)
    there = file.exists()
    if not there:
        file.write_text(lines, encoding="utf-8")
    given = [line.partition("=")[2].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    try:
        with patch.dict(os.environ, values):
            yield [*values.values(), *filter(None, given)]
    finally:
        if not there:
            file.unlink()


def check_secrets(image: str, secrets: Iterable[str]) -> None:
    """None is in any layer; the commit, which is in one, shows that the search finds what there is."""
    commit = image_config(image)["Labels"]["org.opencontainers.image.revision"]
    found = find_in_image(image, [*secrets, commit])
    check(commit in found, f"the search of {image} does not even find the commit it is built from")
    leaked = {place for value, place in found.items() if value != commit}
    check(not leaked, f"credentials of the build are in {image}: {leaked}")


def find_in_image(image: str, values: Iterable[str]) -> dict[str, str]:
    """Where values stand in any file of any layer of an image, or in its configuration: value -> place."""
    command = ["podman", "save", "--quiet", "--format=docker-archive", f"localhost/{image}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as saving:
        assert saving.stdout
        found = find(saving.stdout, list(values))
    check(saving.returncode == 0, f"{image} could not be saved")
    return found


def find(saved: IO[bytes], values: list[str]) -> dict[str, str]:
    """The same in an image saved as a docker-archive: a tar of layers, which are tars, and of JSON files."""
    found: dict[str, str] = {}
    with tarfile.open(fileobj=saved, mode="r|") as archive:
        for member, content in _files(archive):
            if not member.endswith(".tar"):
                found |= _find_in_file(content, member, values)
                continue
            with tarfile.open(fileobj=content, mode="r|") as layer:
                for name, file in _files(layer):
                    found |= _find_in_file(file, name, values)
    return found


def _files(archive: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for member in archive:
        if member.isreg() and (content := archive.extractfile(member)):
            yield member.name, content


def _find_in_file(content: IO[bytes], name: str, values: list[str]) -> dict[str, str]:
    """Read in pieces that overlap by the longest value."""
    wanted = {value: value.encode() for value in values}
    overlap = max(map(len, wanted.values())) - 1
    found, before = {}, b""
    while piece := content.read(_PIECE):
        text = before + piece
        found |= {value: name for value, raw in wanted.items() if raw in text}
        before = text[-overlap:]
    return found
