"""What a task needs from the cluster: image, run identity, credentials, accelerators, patience.

What differs between clusters are parameters of the pipeline (``Placement``), so one package fits all of them.
The local runner ignores all of this and passes the same settings by its environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kfp import dsl, kubernetes

from components import images

CONFIG_MAP = "kosparse"
CONFIG_KEYS = {
    "s3_endpoint": "S3_ENDPOINT",
    "s3_region": "S3_REGION",
    "mlflow_tracking_uri": "MLFLOW_TRACKING_URI",
    "llm_base_url": "LLM_BASE_URL",
    "llm_model": "LLM_MODEL",
    "llm_reasoning_effort": "LLM_REASONING_EFFORT",
    "llm_cache": "KOSPARSE_LLM_CACHE",
    "checkpoints": "KOSPARSE_CHECKPOINTS",
    "node_data": "KOSPARSE_NODE_DATA",
    "locks": "KOSPARSE_LOCKS",
    "embedder": "KOSPARSE_EMBEDDER",
    "pip_index_url": "PIP_INDEX_URL",
    "hf_endpoint": "HF_ENDPOINT",
}
"""Key -> environment variable. A missing key leaves the variable unset."""

SECRETS = {
    "kosparse-s3": {"accesskey": "AWS_ACCESS_KEY_ID", "secretkey": "AWS_SECRET_ACCESS_KEY"},
    "kosparse-llm": {"api_key": "LLM_API_KEY"},
}
"""Name, unless a run gives another one -> key -> environment variable."""

GPU_STEPS = ("prepare_backbone", "mine_synonyms", "build_training_set", "train_sparse", "evaluate")
"""Steps in the GPU image: they use a GPU when there is one. None of them runs while the language model is served
but ``prepare_backbone`` and ``mine_synonyms``, which work on a CPU too and ask for none."""

ACCELERATED = ("build_training_set", "train_sparse", "evaluate")
"""Steps that ask for a GPU: all of them come after ``release_llm``."""

SHORT = ("check_prerequisites", "release_llm", "stop_llm", "register_model", "report")
CPU_REQUEST, MEMORY_REQUEST, MEMORY_LIMIT = "1", "2Gi", "16Gi"
"""Of a step, unless a run says otherwise."""
_HOUR = 3600
_RETRIES, _FIRST_WAIT, _LONGEST_WAIT = 2, "30s", "600s"


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Parameters of a pipeline that say where its tasks run; one without GPU steps leaves out what is theirs."""

    cpu_image: Any
    gpu_image: Any = ""
    gpus: Any = 0
    """GPUs of each step that asks for one; 0 on a cluster without."""
    train_gpus: Any = 0
    """The same of ``train_sparse``; 0 where nodes of its own do the training."""
    gpu_type: Any = ""
    node_selector: Any = None
    """Labels of the nodes for the steps in the GPU image."""
    tolerations: Any = None
    """Of the same steps."""
    cpu_request: Any = CPU_REQUEST
    """Of the same steps; the others always have the defaults."""
    memory_request: Any = MEMORY_REQUEST
    memory_limit: Any = MEMORY_LIMIT
    s3_secret: Any
    llm_secret: Any


def configure(task: dsl.PipelineTask, step: str, place: Placement) -> dsl.PipelineTask:
    """Give one task its name, image, run identity, credentials, resources, retries and time-out."""
    task.set_display_name(step)
    task.set_container_image(place.gpu_image if step in GPU_STEPS else place.cpu_image)
    kubernetes.use_field_path_as_env(task, env_name="KOSPARSE_RUN_ID", field_path="metadata.labels['pipeline/runid']")
    for secret, keys in zip((place.s3_secret, place.llm_secret), SECRETS.values(), strict=True):
        kubernetes.use_secret_as_env(task, secret_name=secret, secret_key_to_env=keys, optional=True)
    kubernetes.use_config_map_as_env(task, config_map_name=CONFIG_MAP, config_map_key_to_env=CONFIG_KEYS, optional=True)
    # With what KFP 2.16 and newer set themselves, pods are within the restricted Pod Security profile.
    kubernetes.set_security_context(task, run_as_non_root=True)
    task.set_cpu_request(CPU_REQUEST).set_memory_request(MEMORY_REQUEST).set_memory_limit(MEMORY_LIMIT)
    if step == "serve_llm":
        task.set_env_variable("KOSPARSE_IMAGE_VLLM", images.VLLM)
    if step in ACCELERATED:
        gpus = place.train_gpus if step == "train_sparse" else place.gpus
        task.set_accelerator_type(place.gpu_type).set_accelerator_limit(gpus)
        # KFP 2.17 does not pass these, and those below, into the exit handler by itself.
        task.register_pipeline_channels([place.gpu_type, gpus])
    if step in GPU_STEPS:
        task.set_cpu_request(place.cpu_request)
        task.set_memory_request(place.memory_request).set_memory_limit(place.memory_limit)
        task.register_pipeline_channels([place.cpu_request, place.memory_request, place.memory_limit])
        kubernetes.add_node_selector_json(task, place.node_selector)
        kubernetes.add_toleration_json(task, place.tolerations)
    kubernetes.set_timeout(task, _HOUR if step in SHORT else 24 * _HOUR)
    # A pod that was evicted or a service that was down for a moment: steps go on from what they have cached.
    task.set_retry(_RETRIES, backoff_duration=_FIRST_WAIT, backoff_factor=2.0, backoff_max_duration=_LONGEST_WAIT)
    return task
