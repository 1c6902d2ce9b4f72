"""Configs of the steps that read the collection."""

from __future__ import annotations

from pydantic import Field

from kosparse.config.base import MODEL_NAME, StepConfig


class CheckPrerequisitesConfig(StepConfig):
    """``check_prerequisites``."""

    recipe: str = "small"
    free_disk_gb: float = Field(default=2.0, ge=0)
    require_s3: bool = True
    require_mlflow: bool = True
    registered_model: str = MODEL_NAME
    """The model whose champion the new one is compared with: ``register_model.name``."""


class IngestCorpusConfig(StepConfig):
    """``ingest_corpus``."""

    max_documents: int = Field(default=0, ge=0)
    """0 means all."""
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    """The run stops when more than this share of the rows is bad."""
    min_characters: int = Field(default=20, ge=1)
    min_hangul_share: float = Field(default=0.05, ge=0, le=1)
    """Of all letters of a document."""
    passage_characters: int = Field(default=1200, ge=100)
    """Longest passage; cut at sentence ends."""


class ComputeIdfConfig(StepConfig):
    """``compute_idf``."""


class DetectTrendsConfig(StepConfig):
    """``detect_trends``."""

    recent_days: int = Field(default=30, ge=1)
    min_count: int = Field(default=5, ge=1)
    false_discovery_rate: float = Field(default=0.05, gt=0, lt=1)
    max_boost: float = Field(default=2.0, ge=1)
