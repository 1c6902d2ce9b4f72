"""What a task needs from the cluster: run identity, credentials, accelerators.

Names of secrets and config maps are the ones ``k8s/`` creates. The local runner ignores all of this
and passes the same settings by its environment.
"""

from __future__ import annotations

from kfp import dsl, kubernetes

from components import images

SECRETS = {
    "kosparse-s3": {"accesskey": "AWS_ACCESS_KEY_ID", "secretkey": "AWS_SECRET_ACCESS_KEY"},
    "kosparse-llm": {"api_key": "LLM_API_KEY"},
}
"""Secret name -> key -> environment variable."""

CONFIG_MAP = "kosparse"
CONFIG_KEYS = {
    "s3_endpoint": "S3_ENDPOINT",
    "s3_region": "S3_REGION",
    "mlflow_tracking_uri": "MLFLOW_TRACKING_URI",
    "llm_base_url": "LLM_BASE_URL",
    "llm_model": "LLM_MODEL",
    "llm_reasoning_effort": "LLM_REASONING_EFFORT",
}
"""Key -> environment variable. A missing key leaves the variable unset."""

GPU_STEPS = ("prepare_backbone", "mine_synonyms", "build_training_set", "train_sparse", "evaluate")
"""Steps that use a GPU when there is one. None of them runs while the language model is served but
``prepare_backbone`` and ``mine_synonyms``, which work on a CPU too and ask for none."""

ACCELERATED = ("build_training_set", "train_sparse", "evaluate")
"""Steps that ask for a GPU: all of them come after ``release_llm``."""


def configure(task: dsl.PipelineTask, step: str) -> dsl.PipelineTask:
    """Give one task its name, run identity, credentials and resources."""
    task.set_display_name(step)
    kubernetes.use_field_path_as_env(task, env_name="KOSPARSE_RUN_ID", field_path="metadata.labels['pipeline/runid']")
    for secret, keys in SECRETS.items():
        kubernetes.use_secret_as_env(task, secret_name=secret, secret_key_to_env=keys, optional=True)
    kubernetes.use_config_map_as_env(task, config_map_name=CONFIG_MAP, config_map_key_to_env=CONFIG_KEYS, optional=True)
    task.set_memory_request("2Gi").set_memory_limit("16Gi").set_cpu_request("1")
    if step == "serve_llm":
        task.set_env_variable("KOSPARSE_IMAGE_VLLM", images.VLLM)
    if step in ACCELERATED:
        task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1)
    return task
