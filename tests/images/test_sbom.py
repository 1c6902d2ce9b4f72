"""The bill of materials an image is built with."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from images.sbom import bill

STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 with a second: line

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
"""


def site_packages():
    import numpy

    return str(Path(numpy.__file__).parents[1])


def test_it_names_python_and_debian_packages_by_purl(tmp_path):
    (tmp_path / "status").write_text(STATUS, encoding="utf-8")

    document = bill("kosparse-cpu", [site_packages()], tmp_path / "status")

    places = {component["purl"] for component in document["components"]}
    assert f"pkg:pypi/numpy@{version('numpy')}" in places
    assert f"pkg:pypi/typing-extensions@{version('typing-extensions')}" in places
    assert [place for place in places if place.startswith("pkg:deb")] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64"
    ]
    assert len(places) == len(document["components"])


def test_equal_contents_give_equal_bytes(tmp_path):
    script = Path(__file__).parents[2] / "images" / "sbom.py"
    for name in ("a", "b"):
        command = [sys.executable, str(script), str(tmp_path / name), "kosparse-cpu", site_packages()]
        subprocess.run(command, check=True)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads((tmp_path / "a").read_text(encoding="utf-8"))["bomFormat"] == "CycloneDX"
