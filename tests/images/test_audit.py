"""``make audit``: what a vulnerability service knows of the lock files, and what is said when it does not answer."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.images.test_dockerfiles import ROOT

JINJA = re.search(r"^jinja2==(\S+)", (ROOT / "requirements" / "main.lock").read_text(), re.MULTILINE)[1]
REPORT = {
    "dependencies": [
        {"name": "Jinja2", "version": "3.1.6", "vulns": []},
        {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.13.0)"},
    ]
}
PIP_AUDIT = """
import os, sys
assert {"--no-deps", "--disable-pip", "--format=json"} <= set(sys.argv)
[asked] = [open(file).read().splitlines() for flag, file in zip(sys.argv, sys.argv[1:]) if flag == "-r"]
assert len({line.split("==")[0] for line in asked}) == len(asked) > 0, "pip-audit takes a name once"
if os.environ["WANTED"] not in asked and os.environ["SAYS"]:
    sys.exit(print('{"dependencies": []}'))
sys.stdout.write(os.environ["SAYS"])
sys.stderr.write(os.environ["COMPLAINS"])
sys.exit(int(os.environ["ENDS"]))
"""


@pytest.fixture
def audit(tmp_path):
    """Run the program with a ``pip_audit`` that says what it is told to."""
    (tmp_path / "pip_audit.py").write_text(PIP_AUDIT)

    def run(says, complains="", ends=0):
        told = {"SAYS": says, "COMPLAINS": complains, "ENDS": str(ends), "WANTED": f"jinja2=={JINJA}"}
        told["PYTHONPATH"] = str(tmp_path)
        command = [sys.executable, str(ROOT / "requirements" / "audit.py")]
        return subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=False)

    return run


def test_nothing_known_is_status_0_and_what_the_service_does_not_know_is_told(audit):
    done = audit(json.dumps(REPORT))
    assert done.returncode == 0 and ", 0 known vulnerabilities\n" in done.stdout
    assert done.stdout.endswith("the service does not know: torch\n")


def test_a_known_vulnerability_is_status_1_and_told_with_where_it_is_locked(audit):
    vulnerable = {"id": "PYSEC-1", "aliases": ["CVE-2031-1"], "fix_versions": ["9.9"], "description": "..."}
    done = audit(json.dumps({"dependencies": [{"name": "Jinja2", "version": JINJA, "vulns": [vulnerable]}]}), ends=1)

    assert done.returncode == 1
    assert done.stdout.startswith(f"jinja2 {JINJA}: PYSEC-1, CVE-2031-1; mended in 9.9; in images/cpu.lock, ")
    assert "main.lock" in done.stdout.splitlines()[0] and ", 1 known vulnerabilities" in done.stdout


def test_nor_is_there_an_all_clear_from_a_service_that_knows_nothing(audit):
    unheard = [{"name": f"package-{n}", "skip_reason": "Dependency not found"} for n in range(400)]
    done = audit(json.dumps({"dependencies": unheard}))
    assert done.returncode == 3 and "has never heard of 400 of" in done.stderr


def test_a_service_that_cannot_be_reached_is_status_3_and_no_all_clear(audit):
    done = audit("", complains="WARNING:...\nERROR:pip_audit._cli:Could not connect to PyPI", ends=1)
    assert done.returncode == 3 and "known vulnerabilities" not in done.stdout
    assert "nothing was checked" in done.stderr and "Could not connect to PyPI" in done.stderr
