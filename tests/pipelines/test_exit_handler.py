"""Whatever happens to a step, the last thing that happens is ``stop_llm``, and the server is gone.

The committed package under ``kfp.local``, its graph as it is; ``stop_llm`` is the real component, and in place of each
other step there is a line in a log.
"""

import copy
import json
import subprocess
import threading

import psutil
import pytest
import yaml

from pipelines import local_worker
from pipelines.compile import PACKAGE
from pipelines.forkserver import ForkServer

STEP = """
import json, os, pathlib, sys  # in place of kfp.dsl.executor_main
task, end, given = sys.argv[1:]
with open(os.environ["STEPS_LOG"], "a") as log:
    log.write(task + "\\n")
exec(end)
outputs = json.loads(given)["outputs"]
file = pathlib.Path(outputs["outputFile"])
file.parent.mkdir(parents=True, exist_ok=True)
file.write_text(json.dumps({"artifacts": outputs["artifacts"]}))
"""
LOGGED = ["sh", "-c", 'echo stop-llm >> "$STEPS_LOG"; exec "$@"', "sh"]
"""Before the component's own command."""


@pytest.fixture(scope="module")
def golden():
    return list(yaml.load_all(PACKAGE.read_text(encoding="utf-8"), yaml.CSafeLoader))


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A process that stands for the language model server of this run, as the runner records one."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    threading.Thread(target=process.wait, daemon=True).start()  # else it stays a zombie, which is waited for
    record = {"pid": process.pid, "started": psutil.Process(process.pid).create_time(), "grace": 5}
    (tmp_path / "llm.json").write_text(json.dumps(record))
    monkeypatch.setenv("KOSPARSE_LLM_STATE", str(tmp_path / "llm.json"))
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:9/v1")
    for name in ("MLFLOW_TRACKING_URI", "KOSPARSE_EVENTS"):
        monkeypatch.delenv(name, raising=False)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def ran(golden, tmp_path, monkeypatch):
    """Run it with one step that ends in some way: the steps that ran, in order, and whether the run succeeded."""
    monkeypatch.setenv("STEPS_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(local_worker, "ForkServer", lambda: ForkServer([]))
    spec, platform = copy.deepcopy(golden)

    def run(step, end):
        for name, executor in spec["deploymentSpec"]["executors"].items():
            task = name.removeprefix("exec-")
            own = executor["container"]
            command = ["python3", "-S", "-c", STEP, task, end if task == step else "", "{{$}}"]
            executor["container"] = {"image": "python", "command": command}
            if task == "stop-llm":
                executor["container"] |= {"command": [*LOGGED, *own["command"]], "args": own["args"]}
        for component in spec["components"].values():
            for node in component.get("dag", {}).get("tasks", {}).values():
                node.pop("retryPolicy", None)  # it would wait for minutes between tries
        package = tmp_path / "package.yaml"
        package.write_text(f"{json.dumps(spec)}\n---\n{json.dumps(platform)}\n", encoding="utf-8")
        succeeded = True
        try:
            local_worker.run(package, {"corpus": "s3://corpus/x"}, tmp_path / "root")
        except RuntimeError:
            succeeded = False
        return (tmp_path / "log").read_text().split(), succeeded

    return run


@pytest.mark.parametrize(
    ("step", "end"),
    [
        ("serve-llm", "sys.exit(3)"),
        ("generate-queries", "os.kill(os.getpid(), 15)"),
    ],
    ids=["a step fails", "a step is interrupted"],
)
def test_it_is_the_last_thing_and_the_server_is_gone(ran, server, step, end, tmp_path):
    steps, succeeded = ran(step, end)

    assert not succeeded and steps[-1] == "stop-llm" and steps.count("stop-llm") == 1
    assert step in steps and "register-model" not in steps  # nothing goes on from what is not there
    assert server.wait(timeout=10) == -15
    [report] = (tmp_path / "root").glob("*/stop-llm/stopped")
    assert json.loads(report.read_text()) == {"stopped": True}
