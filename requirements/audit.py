"""Ask a vulnerability service about everything the lock files hold: ``make audit``.

Run by the environment of ``audit.lock``. Exit status: 0 nothing known, 1 something is, 3 nothing was checked,
for the service does not answer.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)

Pins = dict[tuple[str, str], list[str]]
"""Name and version -> the files that hold it."""


def locks() -> list[Path]:
    """Every file that pins what is installed: environments of a machine, and images."""
    return sorted([*HERE.glob("*.lock"), *HERE.glob("*.txt"), *HERE.glob("images/*.lock")])


def pins(files: Sequence[Path]) -> Pins:
    """What the files hold, by its normal name (PEP 503)."""
    found: Pins = {}
    for file in files:
        for name, version in _PIN.findall(file.read_text(encoding="utf-8")):
            found.setdefault((_normal(name), version), []).append(file.relative_to(HERE).as_posix())
    return found


def write_lists(known: Pins, folder: Path) -> list[Path]:
    """Lists for pip-audit, which takes a name once: the second version of a name stands in the second list."""
    lists: list[dict[str, str]] = []
    for name, version in sorted(known):
        place = next((taken for taken in lists if name not in taken), None)
        if place is None:
            lists.append(place := {})
        place[name] = version
    paths = [folder / f"{number}.txt" for number in range(len(lists))]
    for path, held in zip(paths, lists, strict=True):
        path.write_text("".join(f"{name}=={version}\n" for name, version in held.items()), encoding="utf-8")
    return paths


def lines(report: Mapping[str, Any], known: Pins) -> Iterator[str]:
    """A line for each known vulnerability: what, where it is locked, and what mends it."""
    for package in report["dependencies"]:
        key = (_normal(package["name"]), str(package.get("version", "")))
        for found in package.get("vulns", []):
            names = ", ".join([found["id"], *found.get("aliases", [])])
            mended = ", ".join(found.get("fix_versions", [])) or "no release yet"
            yield f"{key[0]} {key[1]}: {names}; mended in {mended}; in {', '.join(known.get(key, ['?']))}"


def unknown(report: Mapping[str, Any]) -> list[str]:
    """Packages the service has never heard of, such as builds of another index."""
    return [package["name"] for package in report["dependencies"] if "skip_reason" in package]


def main(arguments: Sequence[str]) -> int:
    """Ask, print what is known, return the exit status; arguments go to pip-audit, such as ``-s osv``."""
    files = locks()
    known = pins(files)
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--format=json",
        "--progress-spinner=off",
        "--no-deps",
        "--disable-pip",
    ]
    report: dict[str, Any] = {"dependencies": []}
    with tempfile.TemporaryDirectory() as folder:
        for path in write_lists(known, Path(folder)):
            done = subprocess.run([*command, "-r", str(path), *arguments], capture_output=True, text=True, check=False)
            try:
                report["dependencies"] += json.loads(done.stdout)["dependencies"]
            except ValueError:
                return _nothing_checked(done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"])
    skipped = unknown(report)
    if len(skipped) > len(known) / 2:  # a mirror that serves packages, and knows of no vulnerability
        return _nothing_checked([f"the service has never heard of {len(skipped)} of {len(known)} packages"])
    found = sorted(lines(report, known))
    print("\n".join([*found, f"{len(files)} lock files, {len(known)} packages, {len(found)} known vulnerabilities"]))
    if skipped:
        print(f"the service does not know: {', '.join(skipped)}")
    return 1 if found else 0


def _nothing_checked(said: Sequence[str]) -> int:
    print(
        f"audit: nothing was checked: {said[0][:300]}\n"
        "  to do: run it where pypi.org can be reached, or name another service: "
        'make audit AUDIT="-s osv --osv-url https://..."',
        file=sys.stderr,
    )
    return 3


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
