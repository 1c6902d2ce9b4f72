"""The compiled pipeline names the images that were pushed."""

import os
import subprocess
import sys

import yaml

from tests.images.test_dockerfiles import ROOT

PUSHED = {
    f"KOSPARSE_IMAGE_{name.upper()}": f"registry.example/team/kosparse-{name}:0123456789ab"
    for name in ("cpu", "gpu", "vllm")
}


def test_references_of_make_push_are_written_into_the_package(tmp_path):
    package = tmp_path / "kosparse.yaml"
    command = [sys.executable, "-m", "pipelines.compile", str(package)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **PUSHED}, capture_output=True, check=True)

    spec = next(iter(yaml.safe_load_all(package.read_text(encoding="utf-8"))))
    defaults = {
        name: parameter.get("defaultValue")
        for name, parameter in spec["root"]["inputDefinitions"]["parameters"].items()
    }
    assert (defaults["cpu_image"], defaults["gpu_image"]) == (
        PUSHED["KOSPARSE_IMAGE_CPU"],
        PUSHED["KOSPARSE_IMAGE_GPU"],
    )
    server = spec["deploymentSpec"]["executors"]["exec-serve-llm"]["container"]
    assert {"name": "KOSPARSE_IMAGE_VLLM", "value": PUSHED["KOSPARSE_IMAGE_VLLM"]} in server["env"]
