"""Write what an image is made of as a CycloneDX 1.6 file: ``sbom.py FILE NAME FOLDER...``.

Python distributions of the folders (``site-packages``), and Debian's packages. Equal contents give equal
bytes: no date, no random serial number.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

DPKG = Path("/var/lib/dpkg/status")


def bill(name: str, folders: Sequence[str], dpkg: Path = DPKG) -> dict[str, Any]:
    """The bill of materials of an image, as the JSON document says it."""
    components = [*python_packages(folders), *debian_packages(dpkg)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name}},
        "components": sorted(components, key=lambda component: component["purl"]),
    }


def python_packages(folders: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What is installed in the folders, once each."""
    found = {_normal(package.metadata["Name"]): package for package in distributions(path=list(folders))}
    for name, package in found.items():
        component = _component(name, package.version, f"pkg:pypi/{name}@{package.version}")
        yield {**component, **_licence(package)}


def debian_packages(status: Path) -> Iterator[dict[str, Any]]:
    """What dpkg says is installed; nothing where the base is no Debian."""
    if not status.is_file():
        return
    for paragraph in status.read_text(encoding="utf-8", errors="replace").split("\n\n"):
        fields = dict(_fields(paragraph.splitlines()))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            place = f"pkg:deb/debian/{name}@{version.replace('+', '%2B')}?arch={fields['Architecture']}"
            yield _component(name, version, place)


def _component(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _licence(package: Distribution) -> dict[str, Any]:
    """The licence in SPDX terms where the package gives it so; free text would be a guess."""
    expression = package.metadata.get("License-Expression")
    return {"licenses": [{"expression": expression}]} if expression else {}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _fields(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        key, colon, value = line.partition(": ")
        if colon and not line.startswith(" "):
            yield key, value


if __name__ == "__main__":
    target, image, *where = sys.argv[1:]
    text = json.dumps(bill(image, where), ensure_ascii=False, indent=1) + "\n"
    Path(target).write_text(text, encoding="utf-8")
