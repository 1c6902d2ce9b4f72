"""What the logic asks of the outside world, as Protocols. ``adapters/`` answers them.

Logic takes a port as an argument and never imports an adapter; tests pass a fake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kosparse.errors import ConfigError
from kosparse.records import Completion, Reject

Vectors = NDArray[np.float32]
"""Shape [n, dimensions], rows of Euclidean length 1."""


@dataclass(frozen=True)
class ChatRequest:
    """One question to a language model: everything that decides the answer, nothing else.

    The response cache hashes these fields together with model, revision and quantization.
    """

    messages: tuple[dict[str, str], ...]
    """``{"role": ..., "content": ...}``, rendered."""
    json_schema: Mapping[str, Any] | None = None
    """The answer's JSON schema; None for free text."""
    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    sample: int = 0
    """Which of several draws for the same messages: part of the cache key, not sent."""
    top_logprobs: int = 0
    """How many first-token alternatives to return with log-probabilities (0 to 20)."""
    every_token: bool = False
    """Return the alternatives of every token of the answer: several labels are read off one answer."""
    may_shorten: str = ""
    """A stretch of the last message, such as the passage, that may be cut at a sentence end when the
    whole is too long for the model; empty when nothing may."""


def never() -> bool:
    """The condition that is never met."""
    return False


class ChatModel(Protocol):
    """A language model behind any wire."""

    model: str
    """Name as recorded in provenance."""
    revision: str
    quantization: str
    """Effective weight precision, for example ``bf16``, ``int8``, ``mxfp4``."""

    def complete(
        self, requests: Sequence[ChatRequest], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Completion | Reject]]:
        """Answer all requests, concurrently, yielding ``(position, answer)`` as they finish.

        Once ``stop()`` is true no new request is sent; those in flight are still answered. A request
        that keeps failing becomes a Reject with its reason; only a dead or refusing service raises
        ServiceError.
        """
        ...


@runtime_checkable
class MeasuresPrefixCache(Protocol):
    """A chat model that knows how much of its prompts the server had already computed."""

    prefix_queries: float
    """Prompt tokens looked up in the server's prefix cache while it answered us; 0 when it does not tell."""
    prefix_hits: float
    """Those of them that were found there."""


class Embedder(Protocol):
    """Dense text vectors."""

    fingerprint: str
    """Changes whenever the vectors would."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Return one unit vector per text, in order: shape [len(texts), dimensions]."""
        ...


class ObjectStore(Protocol):
    """An S3-compatible store. Keys are relative to a bucket; URIs are ``s3://bucket/key``."""

    def upload(self, path: Path, bucket: str, key: str) -> None:
        """Put one file."""
        ...

    def download(self, bucket: str, key: str, path: Path) -> None:
        """Get one object into a file; parents are created."""
        ...

    def list(self, bucket: str, prefix: str) -> list[str]:
        """Keys below a prefix, sorted."""
        ...

    def delete(self, bucket: str, key: str) -> None:
        """Remove one object; fine when there is none."""
        ...

    def ensure_bucket(self, bucket: str) -> None:
        """Create the bucket unless it exists."""
        ...

    def mirror_folder(self, folder: Path, bucket: str, prefix: str) -> int:
        """Upload every file below a folder, keeping the paths; return how many."""
        ...

    def fetch_folder(self, bucket: str, prefix: str, folder: Path) -> int:
        """Download every object below a prefix into a folder, keeping the paths; return how many."""
        ...


def bucket_and_prefix(address: str, *, of: str, where: str) -> tuple[str, str]:
    """The two parts of ``s3://bucket/prefix``; the prefix ends with a slash, or is empty.

    Args:
        address: What is split.
        of: What is kept there, for the error.
        where: The setting it comes from, likewise.

    Raises:
        ConfigError: It is no such address.

    >>> bucket_and_prefix("s3://bucket/a/b", of="things", where="THINGS")
    ('bucket', 'a/b/')
    """
    scheme, _, rest = address.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ConfigError(f"not an address of {of}: {address!r}", where=where, fix="Write s3://bucket/prefix.")
    return bucket, f"{prefix.strip('/')}/".lstrip("/")


@dataclass(frozen=True)
class ModelVersion:
    """A registered model version."""

    name: str
    version: str
    alias: str
    url: str = ""


@dataclass(frozen=True)
class DatasetLink:
    """A dataset that a model version comes from."""

    name: str
    sha256: str
    """Of its content."""
    role: Literal["training", "evaluation"]
    counts: Mapping[str, int]
    """How much is in it, by what is counted."""


@dataclass(frozen=True)
class CurvePoint:
    """Numbers of a step that is still running."""

    step: int
    """How far it is: training steps done."""
    seconds: float
    """When, since the epoch."""
    metrics: Mapping[str, float]


class Tracker(Protocol):
    """Where runs and their metrics are kept (MLflow)."""

    def start_run(self, run_id: str, name: str, params: Mapping[str, Any]) -> str:
        """Create the parent run tagged with ``run_id``, or adopt the one that exists; return its id."""
        ...

    def log_step(
        self, run_id: str, step: str, params: Mapping[str, Any], metrics: Mapping[str, float], seconds: float
    ) -> None:
        """Log one step as a run nested below the parent: the one its points went to, where there are any."""
        ...

    def log_points(self, run_id: str, step: str, points: Sequence[CurvePoint]) -> None:
        """Draw curves of a step that is still running, in a nested run that ``log_step`` will end."""
        ...

    def fail_step(self, run_id: str, step: str) -> None:
        """End the nested run of a step that failed, if points have opened one."""
        ...

    def steps(self, run_id: str) -> dict[str, dict[str, float]]:
        """Metrics of each step logged so far, by its name, earliest first; of a repeated one the last."""
        ...

    def end_run(self, run_id: str, *, failed: bool = False) -> None:
        """Close the parent run, if there is one."""
        ...


class Registry(Protocol):
    """Where models are kept for review (MLflow)."""

    def register(
        self,
        run_id: str,
        name: str,
        model_folder: Path,
        *,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        artifacts: Sequence[Path],
        alias: str,
        datasets: Sequence[DatasetLink] = (),
    ) -> ModelVersion:
        """Log the model folder, register a version and point ``alias`` at it."""
        ...


@dataclass(frozen=True)
class LlmEndpoint:
    """Where a chat model is served."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)


class LlmServer(Protocol):
    """Whoever starts and frees the language model server. All calls are idempotent."""

    def start(self) -> LlmEndpoint:
        """Start the server unless it runs; return where it will answer."""
        ...

    def check(self) -> None:
        """Raise ServiceError when the server is known to have ended."""
        ...

    def log(self) -> str:
        """What the server has logged so far; empty when it cannot be read."""
        ...

    def stop(self) -> bool:
        """Free the accelerator and memory; True when something was stopped."""
        ...
