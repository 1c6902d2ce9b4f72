"""Configs of the steps that start and stop the language model server."""

from __future__ import annotations

from pydantic import Field

from kosparse.config.base import StepConfig


class ServeLlmConfig(StepConfig):
    """``serve_llm``."""

    model: str = "packaged:qwen2.5-coder-1.5b-instruct"
    quantization: str = "bf16"
    max_model_length: int = Field(default=2048, ge=256)
    ready_timeout_seconds: float = Field(default=600.0, gt=0)
    gpus: int = Field(default=1, ge=0)
    deadline_seconds: int = Field(default=21600, ge=60)
    """The server ends after this long even if nobody stops it."""
    allow_external: bool = False
    """Consent: text may leave the machine for an endpoint that is not ours."""


class ReleaseLlmConfig(StepConfig):
    """``release_llm``."""


class StopLlmConfig(StepConfig):
    """``stop_llm``."""
