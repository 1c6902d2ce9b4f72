"""The script that makes buckets and users, run by the real shell with a stand-in for ``mc``."""

import os
import subprocess

import pytest

from k8s.build import ROOT

SCRIPT = ROOT / "base/services/buckets/make.sh"
KEYS = {
    "ROOT_ACCESSKEY": "root",
    "ROOT_SECRETKEY": "rootsecret",
    "KOSPARSE_ACCESSKEY": "kosparse",
    "KOSPARSE_SECRETKEY": "s3secret",
    "MLFLOW_ACCESSKEY": "mlflow",
    "MLFLOW_SECRETKEY": "mlflowsecret",
}
MC = """#!/bin/sh
echo "$@" >>"$LOG"
case "$*" in
  "ready store") [ -e "$LOG.asked" ] || { touch "$LOG.asked"; exit 1; } ;;
  "admin user add store") cat >>"$LOG.stdin" ;;
  "admin policy entities store --user kosparse") echo "$ATTACHED" ;;
esac
"""


@pytest.fixture
def make(tmp_path):
    (tmp_path / "mc").write_text(MC)
    (tmp_path / "sleep").write_text("#!/bin/sh\n")
    for name in ("mc", "sleep"):
        (tmp_path / name).chmod(0o755)
    log = tmp_path / "log"

    def run(attached=""):
        environment = {
            **KEYS,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "LOG": str(log),
            "ATTACHED": attached,
        }
        subprocess.run(["/bin/sh", str(SCRIPT)], env=environment, check=True, capture_output=True)
        return log.read_text().splitlines(), (tmp_path / "log.stdin").read_text()

    return run


def test_it_waits_then_makes_buckets_and_a_user_with_its_own_policy_each(make):
    calls, _ = make()

    assert calls == [
        "ready store",
        "ready store",
        "mb --ignore-existing store/mlpipeline",
        "mb --ignore-existing store/corpus",
        "mb --ignore-existing store/mlflow",
        "admin policy create store policy-kosparse /buckets/kosparse.json",
        "admin user add store",
        "admin policy entities store --user kosparse",
        "admin policy attach store policy-kosparse --user kosparse",
        "admin policy create store policy-mlflow /buckets/mlflow.json",
        "admin user add store",
        "admin policy entities store --user mlflow",
        "admin policy attach store policy-mlflow --user mlflow",
    ]


def test_a_policy_that_is_attached_is_left_alone(make):
    calls, _ = make(attached="User: kosparse  Policies: policy-kosparse")

    assert "admin policy attach store policy-kosparse --user kosparse" not in calls


def test_keys_go_by_standard_input_only(make):
    calls, given = make()

    assert given == "kosparse\ns3secret\nmlflow\nmlflowsecret\n"
    assert not any("secret" in call for call in calls)
