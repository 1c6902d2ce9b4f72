"""What a challenger must show before it becomes champion; a team writes its own in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kosparse.errors import ConfigError


class PromotionPolicy(BaseModel):
    """The gates of a promotion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    real_judgements: bool = True
    """Measured on real queries, not on held-out synthetic ones."""
    min_queries: int = Field(default=50, ge=1)
    beats_bm25: bool = True
    """Alone or fused with BM25, significantly better than BM25."""
    same_queries: bool = True
    """Champion and challenger were measured on the same queries and judgements."""
    not_worse_than_champion: bool = True
    """Not significantly worse than the champion."""
    significance: float = Field(default=0.05, gt=0, lt=1)
    """Level of both tests."""
    max_active_dims_doc: float = Field(default=200.0, gt=0)
    max_contaminated_queries: int = Field(default=0, ge=0)
    """Evaluated queries that were also trained on."""

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """Read a YAML file; None gives the defaults.

        Raises:
            ConfigError: It cannot be read, or holds what is no gate.
        """
        if path is None:
            return cls()
        import yaml

        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
            known = ", ".join(cls.model_fields)
            raise ConfigError(
                f"not a promotion policy: {error}", where=str(path), fix=f"Write one `gate: value` per line: {known}."
            ) from error
