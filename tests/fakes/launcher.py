"""KFP's launcher, as far as a component can tell: it finds its inputs on disk and its outputs are uploaded."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp.dsl import executor_main
from kfp.dsl.types import artifact_types

from kosparse.ports import ObjectStore


class StandInLauncher:
    """Downloads inputs, runs the executor, uploads outputs: what KFP's launcher does.

    Args:
        package: The compiled pipeline.
        store: Where artifacts are.
        mount: Folder the task's files are laid in; a cluster's launcher takes ``/minio``.
        seen_as: The same folder as the task sees it, when it runs in a container.
    """

    def __init__(self, package: Path, store: ObjectStore, mount: Path, seen_as: Path | None = None) -> None:
        self.spec = next(iter(yaml.safe_load_all(package.read_text(encoding="utf-8"))))
        self.store, self.mount, self.seen_as = store, mount, seen_as or mount
        inside = self.spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]
        outside = {name: task for name, task in self.spec["root"]["dag"]["tasks"].items() if name != "exit-handler-1"}
        self.tasks: dict[str, Any] = inside | outside
        """Every task of the graph; last what the exit handler runs."""

    def order(self) -> list[str]:
        """All tasks, each after those it waits for."""
        waits = {name: set(task.get("dependentTasks", ())) & self.tasks.keys() for name, task in self.tasks.items()}
        ending = [name for name in self.tasks if "exit-handler-1" in self.tasks[name].get("dependentTasks", ())]
        return [name for name in TopologicalSorter(waits).static_order() if name not in ending] + ending

    def parameters(self, task: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the graph gives a task when the run is given these parameters."""
        defined = self.spec["root"]["inputDefinitions"]["parameters"]
        values = {name: definition.get("defaultValue") for name, definition in defined.items()} | dict(given)
        return {
            name: source["runtimeValue"]["constant"]
            if "runtimeValue" in source
            else values[source["componentInputParameter"].removeprefix("pipelinechannel--")]
            for name, source in self.tasks[task].get("inputs", {}).get("parameters", {}).items()
        }

    def inputs(self, task: str, prefix: str) -> dict[str, str]:
        """Input name -> key in the bucket, where the tasks before left their outputs below ``prefix``."""
        found = {}
        for name, source in self.tasks[task].get("inputs", {}).get("artifacts", {}).items():
            produced = source["taskOutputArtifact"]
            found[name] = f"{prefix}/{produced['producerTask']}/{produced['outputArtifactKey']}"
        return found

    def run(self, task: str, parameters: dict[str, Any], inputs: dict[str, str], prefix: str) -> dict[str, str]:
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
                "outputFile": str(self.seen_as / f"{task}-output.json"),
            },
        }
        self.execute(self.spec["deploymentSpec"]["executors"][f"exec-{task}"]["container"], executor_input)
        for key in keys.values():
            self._upload(key)
        return keys

    def _artifact(self, name: str, key: str, definition: dict[str, Any]) -> dict[str, Any]:
        artifact = {"name": name, "type": definition["artifactType"], "uri": f"minio://mlpipeline/{key}"}
        return {"artifacts": [{**artifact, "metadata": {}}]}

    def execute(self, container: dict[str, Any], executor_input: dict[str, Any]) -> None:
        """Run the compiled component in this process."""
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
