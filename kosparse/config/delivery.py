"""Configs of the steps that measure, report and hand over."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kosparse.config.base import MODEL_NAME, StepConfig


class EvaluateConfig(StepConfig):
    """``evaluate``."""

    split: Literal["test", "validation", "train"] = "test"
    """Judged queries that are measured on."""
    depth: int = Field(default=100, ge=10)
    """Documents each system ranks per query; nothing below that counts."""
    fusion_weight: float = Field(default=0.8, ge=0, le=1)
    """Weight of the sparse model in the z-score fusion with BM25: fixed, never chosen on test. More than half, for
    a model over morphemes holds BM25 already; without a lexical prior take .5."""
    permutations: int = Field(default=10000, ge=100)
    """Random sign flips of the paired significance test; more tell smaller p-values apart."""
    examples: int = Field(default=8, ge=0)
    """Documents, queries, wins and losses kept for the report, each."""


class ReportConfig(StepConfig):
    """``report``."""

    examples: int = Field(default=8, ge=0)
    """Most examples of each kind on the page; 0 shows none."""


class RegisterModelConfig(StepConfig):
    """``register_model``."""

    name: str = MODEL_NAME
    """Registered model that gets a new version."""
    alias: str = "challenger"
    """Given to the new version."""


class ExportOpensearchConfig(StepConfig):
    """``export_opensearch``."""

    destination: str = ""
    """``s3://bucket/prefix`` to copy the bundle to; empty keeps it as an artifact only."""
    fusion_weight: float = Field(default=0.8, ge=0, le=1)
    """Weight of the sparse query in hybrid queries; the one evaluated."""
