"""The Kubernetes objects of a language model server, as data.

For one run: a Job with a deadline, and its Service, both owned by the run's Workflow. For long-lived
serving: KServe's InferenceService. The address follows from the run id, so that every step of a run finds
its server without being told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kosparse.config import ServeLlmConfig

PORT = 8000
RUN_LABEL = "kosparse/run"
GPU_TYPE = "nvidia.com/gpu"
"""What GPUs are asked for as where nothing else is said."""
KEY_SECRET = "kosparse-llm"
"""Whose ``api_key`` is the server's, likewise."""
_MODELS = "/models"
_ALIAS = "kosparse:"
_DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
_USER = 1000
_NO_SIDECAR = {"sidecar.istio.io/inject": "false"}
"""Kubeflow's profiles inject Istio's proxy, which steps do not speak to and which would outlive the server."""

Owner = Mapping[str, str]
"""``apiVersion``, ``kind``, ``name`` and ``uid`` of the object that takes its own along when it goes."""


def run_name(kind: str, run_id: str) -> str:
    """What objects of one run are called, or labelled: a DNS label of at most 63 characters.

    >>> run_name("kosparse-llm", "Run_7")
    'kosparse-llm-run-7'
    """
    safe = "".join(character if character.isascii() and character.isalnum() else "-" for character in run_id.lower())
    return f"{kind}-{safe}"[:63].strip("-")


def server_name(run_id: str) -> str:
    """Name of the objects of one run's server."""
    return run_name("kosparse-llm", run_id)


def base_url(run_id: str) -> str:
    """Where a run's server answers, from any pod of its namespace."""
    return f"http://{server_name(run_id)}:{PORT}/v1"


def alias(config: ServeLlmConfig) -> str:
    """A second name the model is served under: it tells the steps what precision and revision they ask."""
    return f"{_ALIAS}{config.quantization}:{config.revision}"


def read_alias(names: Sequence[str]) -> tuple[str, str, str]:
    """Model, revision and precision, from the names a server lists; empty where it does not tell.

    >>> read_alias(["openai/gpt-oss-20b", "kosparse:mxfp4:6cee5e8"])
    ('openai/gpt-oss-20b', '6cee5e8', 'mxfp4')
    """
    told = next((name for name in names if name.startswith(_ALIAS)), _ALIAS + ":")
    precision, _, revision = told.removeprefix(_ALIAS).partition(":")
    model = next((name for name in names if not name.startswith(_ALIAS)), "")
    return model, revision, precision


def job(config: ServeLlmConfig, run_id: str, image: str, owner: Owner | None = None) -> dict[str, Any]:
    """A Job that serves the model until it is deleted, or until the deadline ends it.

    Returns:
        A ``batch/v1`` Job with one pod per replica. The key comes from the Secret ``key_secret``.
    """
    labels = {**_labels(run_id), **_NO_SIDECAR}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(run_id, owner),
        "spec": {
            "backoffLimit": 1,
            "parallelism": config.replicas,
            "completions": config.replicas,
            "activeDeadlineSeconds": config.deadline_seconds,
            "ttlSecondsAfterFinished": 300,
            "template": {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never", **_pod(config, image)}},
        },
    }


def service(run_id: str, owner: Owner | None = None) -> dict[str, Any]:
    """The Service in front of the Job's pods."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(run_id, owner),
        "spec": {
            "selector": {RUN_LABEL: server_name(run_id)},
            "ports": [{"name": "http", "port": PORT, "targetPort": PORT}],
        },
    }


def inference_service(config: ServeLlmConfig, name: str, image: str) -> dict[str, Any]:
    """The same server for good: KServe keeps ``replicas`` of it and gives it an address.

    Runs use it by LLM_BASE_URL and LLM_MODEL; no run starts or stops it, so it has no deadline.

    Returns:
        A ``serving.kserve.io/v1beta1`` InferenceService with one custom container.
    """
    pod = _pod(config, image)
    [container] = pod.pop("containers")
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/name": "kosparse-llm"},
            "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
        },
        "spec": {
            "predictor": {
                "minReplicas": config.replicas,
                "maxReplicas": config.replicas,
                **pod,
                "containers": [{**container, "name": "kserve-container"}],
            }
        },
    }


def _metadata(run_id: str, owner: Owner | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": server_name(run_id), "labels": _labels(run_id)}
    if owner:
        metadata["ownerReferences"] = [{**owner, "controller": False, "blockOwnerDeletion": False}]
    return metadata


def _labels(run_id: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "kosparse-llm", RUN_LABEL: server_name(run_id)}


def _pod(config: ServeLlmConfig, image: str) -> dict[str, Any]:
    claim = {"persistentVolumeClaim": {"claimName": config.model_cache_claim}}
    return {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "nodeSelector": dict(config.node_selector),
        "tolerations": [dict(toleration) for toleration in config.tolerations],
        "volumes": [
            {"name": "models", **(claim if config.model_cache_claim else {"emptyDir": {}})},
            {"name": "shm", "emptyDir": {"medium": "Memory"}},  # GPUs of one replica exchange tensors here
        ],
        "containers": [_container(config, image)],
    }


def _container(config: ServeLlmConfig, image: str) -> dict[str, Any]:
    gpus = {config.gpu_type or GPU_TYPE: str(config.gpus)} if config.gpus else {}
    # /v1/models wants the key, which a probe cannot send; serve_llm asks that one and for an answer.
    health = {"httpGet": {"path": "/health", "port": PORT}}
    return {
        "name": "vllm",
        "image": image,
        "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"],
        "args": _arguments(config),
        "env": _environment(config),
        "ports": [{"name": "http", "containerPort": PORT}],
        "startupProbe": {**health, "periodSeconds": 5, "failureThreshold": _failures(config)},
        "readinessProbe": {**health, "periodSeconds": 5},
        "livenessProbe": {**health, "periodSeconds": 20, "failureThreshold": 6},
        "resources": {"requests": {"cpu": "2", "memory": "16Gi", **gpus}, "limits": {"memory": "64Gi", **gpus}},
        "volumeMounts": [{"name": "models", "mountPath": _MODELS}, {"name": "shm", "mountPath": "/dev/shm"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def _failures(config: ServeLlmConfig) -> int:
    """Probes, five seconds apart, that may fail before the pod is given up: for as long as the step waits."""
    return max(1, round(config.ready_timeout_seconds / 5))


def _arguments(config: ServeLlmConfig) -> list[str]:
    arguments = ["--model", config.model, "--served-model-name", config.model, alias(config)]
    arguments += ["--host", "0.0.0.0", "--port", str(PORT), "--max-model-len", str(config.max_model_length)]
    arguments += ["--tensor-parallel-size", str(config.tensor_parallel)]
    arguments += ["--pipeline-parallel-size", str(max(1, config.gpus // config.tensor_parallel))]
    arguments += ["--structured-outputs-config", '{"backend":"xgrammar","disable_any_whitespace":true}']
    if config.revision:
        arguments += ["--revision", config.revision]
    if config.quantization in _DTYPES:
        arguments += ["--dtype", _DTYPES[config.quantization]]
    if config.quantization == "fp8":
        arguments += ["--quantization", "fp8"]
    return arguments


def _environment(config: ServeLlmConfig) -> list[dict[str, Any]]:
    key = {"secretKeyRef": {"name": config.key_secret or KEY_SECRET, "key": "api_key", "optional": True}}
    values = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HOME": "/tmp", "HF_HOME": f"{_MODELS}/huggingface"}
    if config.air_gapped:
        values |= {"HF_HUB_OFFLINE": "1", "TIKTOKEN_ENCODINGS_BASE": f"{_MODELS}/tiktoken"}
    variables = [{"name": name, "value": value} for name, value in values.items()]
    return [{"name": "VLLM_API_KEY", "valueFrom": key}, *variables]
