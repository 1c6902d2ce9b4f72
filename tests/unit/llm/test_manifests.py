"""The cluster's objects, as data."""

import pytest

from kosparse.config import ServeLlmConfig
from kosparse.llm import manifests

CONFIG = ServeLlmConfig(model="openai/gpt-oss-20b", max_model_length=8192, gpus=2, deadline_seconds=3600)


def pod(job):
    return job["spec"]["template"]["spec"]


def test_no_gpu_outlives_the_run():
    spec = manifests.job(CONFIG, "run", "image:1")["spec"]
    assert spec["activeDeadlineSeconds"] == 3600 and spec["ttlSecondsAfterFinished"] > 0


def test_the_service_finds_the_jobs_pod():
    labels = manifests.job(CONFIG, "run", "image:1")["spec"]["template"]["metadata"]["labels"]
    selector = manifests.service("run")["spec"]["selector"]
    assert selector.items() <= labels.items()


def test_the_key_comes_from_a_secret_and_the_model_from_the_config():
    [container] = pod(manifests.job(CONFIG, "run", "image:1"))["containers"]
    key = next(item for item in container["env"] if item["name"] == "VLLM_API_KEY")
    assert "value" not in key and key["valueFrom"]["secretKeyRef"]["name"] == "kosparse-llm"
    assert container["args"][:2] == ["--model", "openai/gpt-oss-20b"] and "8192" in container["args"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"


def test_the_pod_keeps_to_the_restricted_profile():
    spec = pod(manifests.job(CONFIG, "run", "image:1"))
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] and not spec["automountServiceAccountToken"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.mark.parametrize("run", ["7f3a", "Run_7/b", "x" * 200, "end-" * 13])
def test_names_are_dns_labels(run):
    name = manifests.server_name(run)
    assert len(name) <= 63 and name.strip("-") == name and name.replace("-", "").isalnum() and name == name.lower()
