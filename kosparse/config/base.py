"""What all step configs share: strict keys, lenient numbers, defaults as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kosparse import prompts
from kosparse.errors import ConfigError

MODEL_NAME = "kosparse"
"""The registered model, unless a config says otherwise."""


class StepConfig(BaseModel):
    """Base of all step configs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    retired: ClassVar[frozenset[str]] = frozenset()
    """Keys of earlier versions that did nothing: taken out unsaid, for the records of finished runs hold them."""

    seed: int = 13
    """Of everything drawn at random."""

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The defaults as a JSON object: what the compiled pipeline carries."""
        return cls().model_dump(mode="json")

    @classmethod
    def parse(cls, values: Mapping[str, Any], step: str = "") -> Self:
        """Read a JSON object.

        Raises:
            ConfigError: An unknown key or a value it cannot have; names step, key and what is allowed.
        """
        try:
            return cls.model_validate({key: value for key, value in values.items() if key not in cls.retired})
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "settings"  # a rule about several has no place
            raise ConfigError(
                f"{step or cls.__name__}: {key}: {first['msg']}; got {first['input']!r}",
                where=f"config of {step or cls.__name__}",
                fix=f"Known keys: {', '.join(sorted(cls.model_fields))}. See docs/steps.md.",
            ) from error


class LlmStepConfig(StepConfig):
    """What all steps that ask the language model share."""

    concurrency: int = Field(default=16, ge=1, le=1024)
    """Requests in flight."""
    budget_seconds: float = Field(default=120.0, gt=0)
    """No new request is sent after this long."""
    prompt_fingerprint: str = ""
    """Filled in by ``defaults``, so that a changed prompt is not served from KFP's cache."""

    prompts_used: ClassVar[tuple[str, ...]] = ()
    """Names of the prompts whose text decides the step's result."""

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The defaults, and the fingerprints of the prompts as they are now."""
        found = " ".join(prompts.load(name).fingerprint for name in cls.prompts_used)
        return {**super().defaults(), "prompt_fingerprint": found}


class WritingStepConfig(LlmStepConfig):
    """What the steps share in which the language model writes more than a label."""

    at_least: int = Field(default=0, ge=0)
    """Requests that are answered whatever the budget says."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """How freely an answer is drawn; 0 takes the likeliest token every time."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Tokens are drawn from the likeliest ones that make up this probability; 1 from all."""
    max_tokens: int = Field(default=192, ge=1)
    """Most tokens of an answer; what is longer is cut off."""
