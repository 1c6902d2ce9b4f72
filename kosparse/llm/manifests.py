"""The Kubernetes objects of a language model server, as data: a Job with a deadline, and its Service."""

from __future__ import annotations

from typing import Any

from kosparse.config import ServeLlmConfig

PORT = 8000


def server_name(run_id: str) -> str:
    """Name of the objects of one run: a DNS label of at most 63 characters."""
    safe = "".join(character if character.isalnum() else "-" for character in run_id.lower())
    return f"kosparse-llm-{safe}"[:63].strip("-")


def job(config: ServeLlmConfig, run_id: str, image: str) -> dict[str, Any]:
    """A Job that serves the model until it is deleted, or until the deadline ends it.

    Returns:
        A ``batch/v1`` Job. The key comes from the Secret ``kosparse-llm``.
    """
    name = server_name(run_id)
    labels = {"app.kubernetes.io/name": "kosparse-llm", "kosparse/run": name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": 1,
            "activeDeadlineSeconds": config.deadline_seconds,
            "ttlSecondsAfterFinished": 300,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [_container(config, image)],
                },
            },
        },
    }


def service(run_id: str) -> dict[str, Any]:
    """The Service in front of the Job's pod."""
    name = server_name(run_id)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {"kosparse/run": name}},
        "spec": {"selector": {"kosparse/run": name}, "ports": [{"port": PORT, "targetPort": PORT}]},
    }


def _container(config: ServeLlmConfig, image: str) -> dict[str, Any]:
    secret = {"secretKeyRef": {"name": "kosparse-llm", "key": "api_key", "optional": True}}
    arguments = ["--model", config.model, "--host", "0.0.0.0", "--port", str(PORT)]
    return {
        "name": "vllm",
        "image": image,
        "args": [*arguments, "--max-model-len", str(config.max_model_length)],
        "env": [{"name": "VLLM_API_KEY", "valueFrom": secret}, {"name": "VLLM_NO_USAGE_STATS", "value": "1"}],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {
            "httpGet": {"path": "/v1/models", "port": PORT},
            "periodSeconds": 5,
            "failureThreshold": 240,
        },
        "resources": {
            "requests": {"cpu": "2", "memory": "16Gi", "nvidia.com/gpu": str(config.gpus)},
            "limits": {"memory": "64Gi", "nvidia.com/gpu": str(config.gpus)},
        },
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
