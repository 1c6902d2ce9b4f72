"""The command that Kubernetes and compose start in the vllm image, under the CPU build of vLLM."""

import re

import httpx
import pytest

from kosparse.config import ServeLlmConfig
from kosparse.llm import manifests
from kosparse.services.ports import LOOPBACK, free_port
from kosparse.services.process import Service
from kosparse.services.vllm import PYTHON
from tests.fakes.tiny_llm import save_tiny_llm
from tests.images.test_dockerfiles import ROOT, instructions


def container(config):
    return manifests.job(config, "run-1", "image")["spec"]["template"]["spec"]["containers"][0]


def test_image_and_manifest_start_the_same_program():
    [entrypoint] = [rest for word, rest in instructions(ROOT / "images/vllm/Dockerfile") if word == "ENTRYPOINT"]

    assert re.findall(r'"([^"]+)"', entrypoint) == container(ServeLlmConfig())["command"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_manifests_command_serves_a_model(tmp_path):
    model = str(save_tiny_llm(tmp_path / "model"))
    given = container(ServeLlmConfig(model=model, quantization="fp32", max_model_length=512, gpus=0))
    port = free_port()
    # Loopback and a free port, for this is no pod; the rest is what a pod is given.
    moved = {"python3": str(PYTHON), "0.0.0.0": LOOPBACK, str(manifests.PORT): str(port)}
    command = [moved.get(word, word) for word in [*given["command"], *given["args"]]]
    values = {one["name"]: one["value"] for one in given["env"] if "value" in one}
    environment = {**values, "HF_HOME": str(tmp_path), "VLLM_API_KEY": "key", "VLLM_CPU_KVCACHE_SPACE": "1"}
    environment |= {"VLLM_HOST_IP": LOOPBACK, "PYTHONPATH": None}
    address = f"http://{LOOPBACK}:{port}"
    server = Service("llm", command, ready_url=f"{address}/health", folder=tmp_path, environment=environment)
    server.start()
    try:
        server.wait_ready(600)
        listed = httpx.get(f"{address}/v1/models", headers={"Authorization": "Bearer key"}, timeout=30)
        refused = httpx.get(f"{address}/v1/models", timeout=30)
    finally:
        server.stop()

    names = [one["id"] for one in listed.json()["data"]]
    assert manifests.read_alias(names) == (model, "", "fp32")
    assert refused.status_code == 401
