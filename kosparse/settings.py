"""What differs between machines, from the environment. Never a pipeline parameter, never logged.

Settings say *where* things are; ``config.py`` says *what to do*. Two runs that differ only in
settings give the same result.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from kosparse.errors import ConfigError

EFFORTS = ("low", "medium", "high")
"""How long a model that thinks first may think."""


@dataclass(frozen=True)
class Settings:
    """The environment, read once."""

    run_id: str
    """``KOSPARSE_RUN_ID``: the pipeline run; all tracking is tagged with it."""
    cache: Path
    """``KOSPARSE_CACHE``: models, converted weights, sample corpora, LLM answers."""
    s3_endpoint: str
    """``S3_ENDPOINT``: for example ``http://minio-service.kubeflow:9000``; empty when there is none."""
    s3_region: str
    """``S3_REGION``: what requests to the store are signed for; ``us-east-1`` unless your store says otherwise."""
    mlflow_uri: str
    """``MLFLOW_TRACKING_URI``: empty means nothing is tracked."""
    llm_base_url: str
    """``LLM_BASE_URL``: an OpenAI-compatible address ending in ``/v1``."""
    llm_model: str
    """``LLM_MODEL``: the name the server knows, or a hub id or folder to load or serve."""
    llm_backend: str
    """``LLM_BACKEND``: ``http`` or ``transformers`` (in-process, where no server can run)."""
    llm_revision: str
    """``LLM_REVISION``: recorded, and part of the answer cache's key."""
    llm_quantization: str
    """``LLM_QUANTIZATION``: the precision the server really runs at; likewise."""
    llm_reasoning_effort: str
    """``LLM_REASONING_EFFORT``: ``low``, ``medium`` or ``high`` for models that think first (gpt-oss); empty
    leaves it to the server."""
    llm_timeout: float
    """``LLM_TIMEOUT``: seconds for one answer before it is asked again. A processor that works on many at once may
    need long for each."""
    llm_cache: str
    """``KOSPARSE_LLM_CACHE``: ``s3://bucket/prefix`` where machines share LLM answers; used where
    ``S3_ENDPOINT`` is set, empty for nowhere."""
    checkpoints: str
    """``KOSPARSE_CHECKPOINTS``: ``s3://bucket/prefix`` where trainings are kept while they run; used where
    ``S3_ENDPOINT`` is set, empty for this machine alone."""
    node_data: str
    """``KOSPARSE_NODE_DATA``: ``s3://bucket/prefix`` where a training on several nodes (``train_sparse.nodes``) finds
    its inputs and leaves its model; emptied when the step ends."""
    locks: str
    """``KOSPARSE_LOCKS``: ``s3://bucket/prefix`` of the locks by which one promotion goes on at a time; used where
    ``S3_ENDPOINT`` is set, empty to lock by names in the registry. The same for all who promote."""
    rank: int
    """``RANK``: which of several processes this is, as torchrun numbers them; 0 writes the outputs."""
    triton: bool
    """``KOSPARSE_TRITON=1``: on a GPU the fused head runs as a Triton kernel, which is not yet proven there."""
    llm_price_input: float
    """``LLM_PRICE_INPUT``: money per million prompt tokens, in any currency; 0 for a model of your own."""
    llm_price_output: float
    """``LLM_PRICE_OUTPUT``: likewise for tokens written."""
    prompts: Path | None
    """``KOSPARSE_PROMPTS``: a folder of prompt files that replace those that ship."""
    embedder: str
    """``KOSPARSE_EMBEDDER``: hub id or folder, weights as safetensors; empty means the packaged
    multilingual-e5-small."""
    opensearch_url: str
    """``OPENSEARCH_URL``: for example ``https://search.example:9200``."""
    opensearch_username: str
    """``OPENSEARCH_USERNAME``: with ``OPENSEARCH_PASSWORD``; empty where the cluster asks for none."""
    opensearch_ca: str
    """``OPENSEARCH_CA_CERTS``: file of the authority behind the cluster's certificate; empty for the usual ones."""
    git_sha: str
    image_digest: str
    s3_access_key: str = field(default="", repr=False)
    s3_secret_key: str = field(default="", repr=False)
    llm_api_key: str = field(default="", repr=False)
    opensearch_password: str = field(default="", repr=False)

    @property
    def embedding_cache(self) -> Path:
        """Folder of vectors keyed by model and text."""
        return self.cache / "embeddings"

    @property
    def response_cache(self) -> Path:
        """SQLite file of raw LLM answers."""
        return self.cache / "llm" / "responses.sqlite"


def settings() -> Settings:
    """Read the settings from the environment as it is now."""
    get = os.environ.get
    return Settings(
        run_id=get("KOSPARSE_RUN_ID", "") or "local",
        cache=Path(get("KOSPARSE_CACHE") or Path.home() / ".cache" / "kosparse").expanduser(),
        s3_endpoint=get("S3_ENDPOINT", ""),
        s3_region=get("S3_REGION") or "us-east-1",
        mlflow_uri=get("MLFLOW_TRACKING_URI", ""),
        llm_base_url=get("LLM_BASE_URL", "").rstrip("/"),
        llm_model=get("LLM_MODEL", ""),
        llm_backend=get("LLM_BACKEND", "http"),
        llm_revision=get("LLM_REVISION", ""),
        llm_quantization=get("LLM_QUANTIZATION", ""),
        llm_reasoning_effort=_effort(),
        llm_timeout=_number("LLM_TIMEOUT", 600.0, "seconds"),
        llm_cache=get("KOSPARSE_LLM_CACHE", "s3://mlpipeline/kosparse/llm-answers"),
        checkpoints=get("KOSPARSE_CHECKPOINTS", "s3://mlpipeline/kosparse/checkpoints"),
        node_data=get("KOSPARSE_NODE_DATA", "s3://mlpipeline/kosparse/node-data"),
        locks=get("KOSPARSE_LOCKS", "s3://mlpipeline/kosparse/locks"),
        rank=int(get("RANK", "0")),
        triton=get("KOSPARSE_TRITON", "") == "1",
        llm_price_input=_number("LLM_PRICE_INPUT", 0.0, "money per million tokens"),
        llm_price_output=_number("LLM_PRICE_OUTPUT", 0.0, "money per million tokens"),
        prompts=Path(folder).expanduser() if (folder := get("KOSPARSE_PROMPTS", "")) else None,
        embedder=get("KOSPARSE_EMBEDDER", ""),
        opensearch_url=get("OPENSEARCH_URL", "").rstrip("/"),
        opensearch_username=get("OPENSEARCH_USERNAME", ""),
        opensearch_ca=get("OPENSEARCH_CA_CERTS", ""),
        git_sha=get("KOSPARSE_GIT_SHA", ""),
        image_digest=get("KOSPARSE_IMAGE_DIGEST", ""),
        s3_access_key=get("AWS_ACCESS_KEY_ID", ""),
        s3_secret_key=get("AWS_SECRET_ACCESS_KEY", ""),
        llm_api_key=get("LLM_API_KEY", ""),
        opensearch_password=get("OPENSEARCH_PASSWORD", ""),
    )


def _effort() -> str:
    effort = os.environ.get("LLM_REASONING_EFFORT", "")
    if effort and effort not in EFFORTS:
        raise ConfigError(
            f"there is no reasoning effort {effort!r}",
            where="LLM_REASONING_EFFORT",
            fix=f"Choose of {', '.join(EFFORTS)}, or unset it.",
        )
    return effort


def _number(name: str, default: float, what: str) -> float:
    text = os.environ.get(name, "") or str(default)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf") or (default and not number):
        least = "more than 0" if default else "0 or more"
        raise ConfigError(f"not {what}: {text!r}", where=name, fix=f"Give {what}, {least}.")
    return number
