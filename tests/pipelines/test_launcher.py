"""Every component as a cluster runs it: KFP's executor, ``minio://`` URIs, files below ``/minio``.

On a cluster, KFP's launcher downloads a task's input artifacts, runs the executor and uploads its
outputs. A stand-in does the same here against the real S3 store, with the artifacts of the finished
run as inputs, so that each component is driven through ``kfp.dsl.executor_main`` once. Whatever asks the
language model finds its answers in the object store: it is a second run, one component at a time.
"""

from __future__ import annotations

import json

import pytest

from kosparse.steps import STEPS
from pipelines.compile import PACKAGE
from tests.fakes.launcher import StandInLauncher
from tests.fakes.memory_store import MemoryStore

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def cluster(finished_run, services, tmp_path_factory):
    """A launcher beside running services, and the keys of the finished run's artifacts."""
    from kosparse.adapters.store_s3 import open_store

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KOSPARSE_RUN_ID", "launcher-test")
        store = open_store()
        mount = tmp_path_factory.mktemp("minio")
        yield StandInLauncher(finished_run.folder / "pipeline.yaml", store, mount), store


def test_every_task_comes_after_those_it_waits_for(tmp_path):
    launcher = StandInLauncher(PACKAGE, MemoryStore(), tmp_path)

    order = launcher.order()

    assert sorted(order) == sorted(step.replace("_", "-") for step in STEPS)
    for task in order:
        producers = {key.split("/")[1] for key in launcher.inputs(task, "run").values()}
        assert producers <= set(order[: order.index(task)])
    assert order.index("release-llm") < order.index("mine-negatives")
    assert order[-1] == "stop-llm"


@pytest.mark.parametrize("step", STEPS)
def test_component_runs_under_the_executor_with_minio_uris(step, cluster, finished_run, llm_server):
    launcher, store = cluster
    asked = llm_server.completions
    task = step.replace("_", "-")
    arguments = json.loads((finished_run.folder / "arguments.json").read_text(encoding="utf-8"))
    inputs = launcher.inputs(task, f"v2/artifacts/kosparse/{finished_run.folder.name}")
    parameters = launcher.parameters(task, arguments)

    if step == "register_model":  # versions and alias of the finished run stay as they are
        parameters["config"] = {**parameters["config"], "name": "launcher-test"}

    keys = launcher.run(task, parameters, inputs, "v2/artifacts/kosparse/launcher-test")

    for name, key in keys.items():
        if name != "metrics":
            assert store.list("mlpipeline", key), f"{step} uploaded no {name}"
    assert llm_server.completions - asked <= (step == "serve_llm")  # its readiness check
