"""Configs of the steps that read the collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from kosparse.config.base import MODEL_NAME, StepConfig


class CheckPrerequisitesConfig(StepConfig):
    """``check_prerequisites``."""

    recipe: str = "small"
    """Name of the recipe, for the tracking run and the report; it changes no setting."""
    free_disk_gb: float = Field(default=2.0, ge=0)
    """Gigabytes that must be free where outputs are written; 0 asks for none."""
    require_s3: bool = True
    """Whether a run without an object store ends here."""
    require_mlflow: bool = True
    """Whether a run without a tracking server ends here."""
    registered_model: str = MODEL_NAME
    """The model whose champion the new one is compared with: ``register_model.name``."""


class IngestCorpusConfig(StepConfig):
    """``ingest_corpus``."""

    max_documents: int = Field(default=0, ge=0)
    """0 means all."""
    columns: dict[str, str] = {}
    """Field (``_id``, ``text``, ``title``, ``date``, ``url``, ``lang``) -> column, or ``text:본문,_id:번호``; the rest
    is guessed from the columns' names."""
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    """The run stops when more than this share of the rows is bad."""
    min_characters: int = Field(default=20, ge=1)
    """A shorter text is left out, after it is normalised."""
    min_hangul_share: float = Field(default=0.05, ge=0, le=1)
    """Of all letters of a document."""
    passage_characters: int = Field(default=1200, ge=100)
    """Longest passage; cut at sentence ends."""
    duplicates: Literal["flag", "drop_exact", "drop"] = "flag"
    """Documents that repeat an earlier one: flagged, or left out; ``drop`` means near duplicates too."""
    near_duplicate_jaccard: float = Field(default=0.8, ge=0, le=1)
    """Of two documents' shingles of five characters; 0 looks for exact duplicates only."""
    personal_data: Literal["flag", "drop"] = "flag"
    """Documents with resident numbers, phones, cards, business numbers or e-mail addresses."""

    @field_validator("columns", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [pair.partition(":") for pair in value.split(",") if pair.strip()]
        return {field.strip(): column.strip() for field, _, column in pairs}

    @field_validator("columns")
    @classmethod
    def _known(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        fields = ("_id", "text", "title", "date", "url", "lang")
        unknown = [field for field in value if field not in fields]
        if unknown or "" in value.values():
            raise ValueError(f"write field:column, with a field of {', '.join(fields)}")
        return value


class ComputeIdfConfig(StepConfig):
    """``compute_idf``."""


class DetectTrendsConfig(StepConfig):
    """``detect_trends``."""

    recent_days: int = Field(default=30, ge=1)
    """Days up to the newest date that count as recent; all before is what they are compared with."""
    min_count: int = Field(default=5, ge=1)
    """Recent documents in which a term must occur."""
    false_discovery_rate: float = Field(default=0.05, gt=0, lt=1)
    """Of the terms found to rise, the expected share that does not (Benjamini and Hochberg 1995)."""
    max_boost: float = Field(default=2.0, ge=1)
    """Most that the weight of a rising term in a query is multiplied by; 1 changes none."""
    ngram_max: int = Field(default=2, ge=1, le=3)
    """Adjacent nouns that are tested together as one term, at most; 1 tests single nouns alone."""
    half_life_days: float = Field(default=90.0, ge=0)
    """Days after the newest document in which what a boost has above 1 halves; 0 keeps it."""
