"""The images of ``compose.yaml`` built for real, its store and MLflow and the language model server started:
``make images-test ALL=1``, after ``bench_images``, which leaves the ``cpu`` image that ``local`` stands on.

Commands, environment, volumes and health checks are compose's own, and the language model server's those of the Job
that ``serve_llm`` sends to Kubernetes. None of them reaches any network; MLflow shares the store's loopback.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import shlex
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from benchmarks.image_host import HOW, ROOT, Row, build, check, hand_over, image_bytes, row, started, timed, versions
from benchmarks.image_secrets import check_secrets, planted
from benchmarks.report import finish
from kosparse.config import ServeLlmConfig
from kosparse.llm import manifests
from tests.fakes.tiny_llm import save_tiny_llm

_LOG_AND_LOAD = """
import mlflow
mlflow.set_tracking_uri("http://127.0.0.1:5000")
with mlflow.start_run() as run:
    mlflow.log_text("kept", "note.txt")
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/note.txt"))
"""
_ASK = """
import json, os, sys, urllib.request
headers = {"Authorization": "Bearer " + os.environ["VLLM_API_KEY"], "Content-Type": "application/json"}
data = sys.argv[2].encode() if len(sys.argv) > 2 else None
request = urllib.request.Request("http://127.0.0.1:8000" + sys.argv[1], data, headers)
print(urllib.request.urlopen(request, timeout=120).read().decode())
"""
_HEALTHY = "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=3)"


def main() -> int:
    """Build, run, write ``results/compose.json``; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cached", action="store_true", help="take what an earlier build left; its time is left out")
    cached = parser.parse_args().cached
    rows = []
    with planted() as values:
        for name, run in (("local", run_store_and_mlflow), ("vllm-cpu", run_vllm)):
            image, seconds = timed(build, name, cached=cached)
            rows.append(row(f"{name}: build", None if cached else seconds, image_bytes(image)))
            check_secrets(image, values)
            rows += run(image)
    finish(
        "compose",
        rows,
        command="make images-test ALL=1" if not cached else "python -m benchmarks.bench_compose --cached",
        notes=[HOW, "local stands on a cpu image that is there"],
        versions=versions(),
    )
    return 0


def run_store_and_mlflow(image: str) -> list[Row]:
    """Start both, keep an artifact through MLflow in the store, stop them; how long each took to be healthy."""
    values = {"AWS_ACCESS_KEY_ID": secrets.token_hex(8), "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16)}
    values["TAG"] = image.rpartition(":")[2]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        store, mlflow = (compose_service(service, values, Path(name)) for service in ("store", "mlflow"))
        hand_over(Path(name))
        hosts = Path(name) / "hosts"  # compose gives names by DNS
        hosts.write_text("127.0.0.1 localhost store mlflow\n", encoding="utf-8")
        for service in (store, mlflow):
            service["volumes"].append(f"{hosts}:/etc/hosts:ro")
        mlflow["network"] = "container:images-test-store"
        _, first = timed(stack.enter_context, started("images-test-store", **store, seconds=120))
        execute, second = timed(stack.enter_context, started("images-test-mlflow", **mlflow, seconds=300))
        told = execute("/opt/mlflow/bin/python", "-c", _LOG_AND_LOAD)
        check(told.strip().endswith("kept"), f"MLflow did not keep an artifact: {told}")
        kept = [path.name for path in (Path(name) / "tracking").rglob("note.txt")]
        check(not kept, "MLflow keeps artifacts beside its database and not in the store")
    return [row("compose.yaml's store, healthy", first), row("compose.yaml's mlflow, healthy", second)]


def compose_service(name: str, values: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """What ``started`` is to be told of a service of ``compose.yaml``.

    Args:
        name: Of the service.
        values: Variables that stand in the file, as ``compose.env`` would give them.
        folder: Where its volumes are made.
    """
    declared = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"][name]
    filled = re.sub(r"\$\{(\w+)[^}]*\}", lambda found: values.get(found[1], ""), json.dumps(declared))
    service = json.loads(filled)
    check(service["read_only"] and service["cap_drop"] == ["ALL"], f"compose.yaml gives {name} rights it does not need")
    volumes = []
    for volume in service["volumes"]:
        source, _, target = volume.partition(":")
        (folder / source).mkdir()
        volumes.append(f"{folder / source}:{target}")
    return {
        "image": service["image"],
        "command": shlex.split(service["command"]),
        "probe": service["healthcheck"]["test"][1:],
        "environment": service["environment"],
        "volumes": volumes,
        "tmpfs": service["tmpfs"],
    }


def run_vllm(image: str) -> list[Row]:
    """Start a random two-layer model by the manifest's command and ask it; how long it took to be healthy."""
    config = ServeLlmConfig(model="/models/tiny", quantization="fp32", max_model_length=512, gpus=0)
    [container] = manifests.job(config, "images-test", image)["spec"]["template"]["spec"]["containers"]
    given = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    # The last two are this machine's: how much memory, and that it has no network to find its address in.
    given |= {"VLLM_API_KEY": secrets.token_hex(16), "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_HOST_IP": "127.0.0.1"}
    with tempfile.TemporaryDirectory() as name:
        models = Path(name)
        save_tiny_llm(models / "tiny", heads=2)
        hand_over(models)
        server = started(
            "images-test-vllm",
            image,
            [*container["args"], "--enforce-eager"],  # compiled code wants a C++ compiler, which this image lacks
            probe=["python3", "-c", _HEALTHY],
            seconds=600,
            environment=given,
            volumes=[f"{models}:/models"],
            more=["--shm-size=1g", f"--entrypoint={json.dumps(container['command'])}"],
        )
        with ExitStack() as stack:
            execute, seconds = timed(stack.enter_context, server)
            names = [row["id"] for row in json.loads(execute("python3", "-c", _ASK, "/v1/models"))["data"]]
            check(manifests.read_alias(names) == ("/models/tiny", "", "fp32"), f"vLLM serves {names}")
            question = {"model": names[0], "max_tokens": 4, "messages": [{"role": "user", "content": "셀 보호"}]}
            answer = json.loads(execute("python3", "-c", _ASK, "/v1/chat/completions", json.dumps(question)))
            check(answer["usage"]["completion_tokens"] == 4, f"vLLM answered {answer}")
    return [row("the manifest's command of vLLM, healthy with a tiny model", seconds)]


if __name__ == "__main__":
    sys.exit(main())
