"""Every component as a cluster runs it: KFP's executor, ``minio://`` URIs, files below ``/minio``.

On a cluster, KFP's launcher downloads a task's input artifacts, runs the executor and uploads its
outputs. A stand-in does the same here against the real S3 store, with the artifacts of the finished
run as inputs, so that each component is driven through ``kfp.dsl.executor_main`` once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from kfp.dsl import executor_main
from kfp.dsl.types import artifact_types

from kosparse.steps import STEPS
from pipelines.local_services import LocalServices

pytestmark = pytest.mark.services


class StandInLauncher:
    """Downloads inputs, runs the executor, uploads outputs: what KFP's launcher does."""

    def __init__(self, package: Path, store, mount: Path) -> None:
        self.spec = next(iter(yaml.safe_load_all(package.read_text(encoding="utf-8"))))
        self.store, self.mount = store, mount

    def run(self, task: str, parameters: dict, inputs: dict[str, str], prefix: str) -> dict[str, str]:
        """Run one task; returns output name -> key in the bucket."""
        component = self.spec["components"][f"comp-{task}"]
        artifacts = component.get("inputDefinitions", {}).get("artifacts", {})
        outputs = component["outputDefinitions"]["artifacts"]
        keys = {name: f"{prefix}/{task}/{name}" for name in outputs}
        for key in inputs.values():
            self._download(key)
        executor_input = {
            "inputs": {
                "parameterValues": parameters,
                "artifacts": {name: self._artifact(name, inputs[name], artifacts[name]) for name in artifacts},
            },
            "outputs": {
                "artifacts": {name: self._artifact(name, keys[name], outputs[name]) for name in outputs},
                "outputFile": str(self.mount / f"{task}-output.json"),
            },
        }
        self._execute(task, executor_input)
        for key in keys.values():
            self._upload(key)
        return keys

    def _artifact(self, name: str, key: str, definition: dict) -> dict:
        artifact = {"name": name, "type": definition["artifactType"], "uri": f"minio://mlpipeline/{key}"}
        return {"artifacts": [{**artifact, "metadata": {}}]}

    def _execute(self, task: str, executor_input: dict) -> None:
        container = self.spec["deploymentSpec"]["executors"][f"exec-{task}"]["container"]
        source = container["command"][-1]
        name = container["args"][container["args"].index("--function_to_execute") + 1]
        module = self.mount / f"{name}_component.py"
        module.write_text(source, encoding="utf-8")
        command = ["executor_main", "--component_module_path", str(module), "--function_to_execute", name]
        with pytest.MonkeyPatch.context() as patch:
            # Another folder than /minio, which only root could write.
            patch.setattr(artifact_types, "_MINIO_LOCAL_MOUNT_PREFIX", f"{self.mount}/")
            patch.setattr(sys, "argv", [*command, "--executor_input", json.dumps(executor_input)])
            executor_main.executor_main()

    def _download(self, key: str) -> None:
        for found in self.store.list("mlpipeline", key):
            if found == key or found.startswith(key + "/"):
                self.store.download("mlpipeline", found, self.mount / "mlpipeline" / found)

    def _upload(self, key: str) -> None:
        path = self.mount / "mlpipeline" / key
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        for file in files:
            self.store.upload(file, "mlpipeline", file.relative_to(self.mount / "mlpipeline").as_posix())


@pytest.fixture(scope="module")
def cluster(finished_run, tmp_path_factory):
    """A launcher beside running services, and the keys of the finished run's artifacts."""
    from kosparse.adapters.store_s3 import open_store

    with LocalServices.of_home(finished_run.home) as services, pytest.MonkeyPatch.context() as patch:
        environment = {**services.environment(), "KOSPARSE_RUN_ID": "launcher-test"}
        for name, value in environment.items():
            patch.setenv(name, value)
        store = open_store()
        mount = tmp_path_factory.mktemp("minio")
        yield StandInLauncher(finished_run.folder / "pipeline.yaml", store, mount), store


@pytest.mark.parametrize("step", STEPS)
def test_component_runs_under_the_executor_with_minio_uris(step, cluster, finished_run):
    launcher, store = cluster
    task = step.replace("_", "-")
    arguments = json.loads((finished_run.folder / "arguments.json").read_text(encoding="utf-8"))
    tasks = {
        **launcher.spec["root"]["dag"]["tasks"],
        **launcher.spec["components"]["comp-exit-handler-1"]["dag"]["tasks"],
    }
    wiring = tasks[task].get("inputs", {})
    inputs = {}
    for name, source in wiring.get("artifacts", {}).items():
        produced = source["taskOutputArtifact"]
        inputs[name] = (
            f"v2/artifacts/kosparse/{finished_run.folder.name}/"
            f"{produced['producerTask']}/{produced['outputArtifactKey']}"
        )
    parameters = {
        name: arguments[source["componentInputParameter"].removeprefix("pipelinechannel--")]
        for name, source in wiring.get("parameters", {}).items()
    }

    if step == "register_model":  # versions and alias of the finished run stay as they are
        parameters["config"] = {**parameters["config"], "name": "launcher-test"}

    keys = launcher.run(task, parameters, inputs, "v2/artifacts/kosparse/launcher-test")

    for name, key in keys.items():
        if name != "metrics":
            assert store.list("mlpipeline", key), f"{step} uploaded no {name}"
