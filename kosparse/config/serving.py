"""Configs of the steps that start and stop the language model server."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from kosparse.config.base import StepConfig

Precision = Literal["fp32", "fp16", "bf16", "int8", "int4", "mxfp4", "awq", "gptq", "fp8"]


class ServeLlmConfig(StepConfig):
    """``serve_llm``. What is below ``gpus`` concerns a server started on a cluster only."""

    model: str = "packaged:qwen2.5-coder-1.5b-instruct"
    """``packaged:<name>``, a hub id or a folder; with ``LLM_BASE_URL`` it is ``LLM_MODEL`` of the environment."""
    revision: str = ""
    """Commit or tag of a hub id; empty takes the newest."""
    quantization: Precision = "bf16"
    """The precision the server must really run at: another one ends the run."""
    max_model_length: int = Field(default=2048, ge=256)
    """Tokens of prompt and answer together that a server started here bears."""
    ready_timeout_seconds: float = Field(default=600.0, gt=0)
    """A server that does not answer within this long ends the step."""
    allow_external: bool = False
    """Consent: text may leave the machine for an endpoint that is not ours."""
    gpus: int = Field(default=1, ge=0)
    """Of one replica."""
    gpu_type: str = ""
    """The resource they are asked for as, such as ``amd.com/gpu``; empty takes the run's ``gpu_type``."""
    tensor_parallel: int = Field(default=1, ge=1)
    """GPUs that share each layer; where a replica has more, its layers are spread over such groups."""
    replicas: int = Field(default=1, ge=1)
    """Servers side by side, each with GPUs of its own."""
    image: str = ""
    """Of the server started on a cluster; empty takes ``KOSPARSE_IMAGE_VLLM`` of the step's environment."""
    key_secret: str = ""
    """Secret whose ``api_key`` the server asks for; empty takes the run's ``llm_secret``, which its steps send."""
    deadline_seconds: int = Field(default=21600, ge=60)
    """The server ends after this long even if nobody stops it."""
    node_selector: dict[str, str] = {}
    """Labels a node must have to get the server; empty takes any."""
    tolerations: list[dict[str, str | int]] = [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
    ]
    """Taints of nodes that the server bears, as Kubernetes writes them."""
    model_cache_claim: str = "kosparse-models"
    """PersistentVolumeClaim that keeps downloaded models between runs; empty keeps none."""
    air_gapped: bool = False
    """Everything is read from the model cache: models below ``huggingface``, Harmony's vocabulary in ``tiktoken``."""

    @model_validator(mode="after")
    def _gpus_form_groups(self) -> Self:
        if self.gpus and self.gpus % self.tensor_parallel:
            raise ValueError(f"gpus ({self.gpus}) must be a multiple of tensor_parallel ({self.tensor_parallel})")
        if self.air_gapped and not self.model_cache_claim:
            raise ValueError("air_gapped needs a model_cache_claim to read from")
        return self


class ReleaseLlmConfig(StepConfig):
    """``release_llm``."""


class StopLlmConfig(StepConfig):
    """``stop_llm``."""
