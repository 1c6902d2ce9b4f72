"""Configs of the dictionary's steps."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from kosparse.config.base import LlmStepConfig, StepConfig, WritingStepConfig


class MineSynonymsConfig(StepConfig):
    """``mine_synonyms``."""

    sources: list[Literal["pattern", "aligned", "transliteration", "embedding"]] = [
        "pattern",
        "aligned",
        "transliteration",
        "embedding",
    ]
    """Where candidates are looked for: notations such as ``시트(sheet)``, parallel text, sound, vectors."""
    curated: str = ""
    """A TSV of ``ko<TAB>en`` and perhaps ``<TAB>decision`` (same, one_way, wrong), a path or s3 address; empty uses
    the starter list that ships."""
    min_count: int = Field(default=1, ge=1)
    """Times a notation must occur in the collection."""
    max_candidates: int = Field(default=3000, ge=1)
    """Most candidates that go on to be verified."""
    frequent_terms: int = Field(default=1500, ge=0)
    """Most frequent Korean and English terms compared by sound and by embedding."""


class VerifySynonymsConfig(LlmStepConfig):
    """``verify_synonyms``."""

    prompts_used: ClassVar[tuple[str, ...]] = ("verify_synonym", "translate_term", "choose_synonym", "type_synonym")
    typed_first: ClassVar[int] = 16
    """Labelled pairs, half of them no synonyms, by which a model shows whether it can tell how terms relate."""
    retired: ClassVar[frozenset[str]] = frozenset({"at_least", "temperature", "top_p", "max_tokens"})

    strategy: Literal["high", "balanced", "low"] = "balanced"
    """``low`` asks no language model, ``balanced`` about the unsure candidates, ``high`` about all."""
    verification_threshold: float = Field(default=0.8, ge=0, le=1)
    """Probability from which a candidate counts as accepted; those nearest to it are asked about first."""
    max_candidates: int = Field(default=32, ge=0)
    """Candidates ``balanced`` asks the LLM about: those the evidence leaves unsure, and a 5 % audit of the others."""
    labelled: str = ""
    """A TSV of labelled pairs (ko, en, label, kind, evidence); empty uses those that ship."""
    labelled_pairs: int = Field(default=32, ge=0)
    """Labelled pairs the LLM is asked about, to calibrate its answers."""
    relations: Literal["form", "asked"] = "asked"
    """``asked``: of each pair the LLM is asked about, it first says how the terms relate, beside sentences that use
    them, two short questions. What it calls related, opposite or unrelated is not exported, what is broader or narrower
    goes one way. Of a model that cannot tell labelled pairs so, such as the packaged one, the answers are kept as
    evidence, and a pair's form says how its terms relate, as with ``form``."""
    calibration: str = ""
    """The ``calibration`` output of an earlier run with the same model and prompts, a path or s3 address: the
    combiner is taken from there, and only controls are asked. Empty fits it anew."""
    budget_seconds: float = Field(default=420.0, gt=0)


class DiscoverSynonymsConfig(WritingStepConfig):
    """``discover_synonyms``."""

    prompts_used: ClassVar[tuple[str, ...]] = ("discover_synonyms", *VerifySynonymsConfig.prompts_used)

    max_terms: int = Field(default=8, ge=0)
    """Accepted pairs whose terms the model is asked for more synonyms of; 0 asks for none."""
    per_term: int = Field(default=2, ge=1, le=10)
    """Most synonyms taken from an answer, per language."""
    min_p: float = Field(default=0.9, ge=0, le=1)
    """Only pairs at least this sure are extended."""
    verification_threshold: float = Field(default=0.8, ge=0, le=1)
    """As in verify_synonyms."""
    labelled: str = ""
    """As in verify_synonyms."""
    labelled_pairs: int = Field(default=32, ge=0)
    """As in verify_synonyms. Where ``labelled`` is the same, too, its answers are found in the cache."""
    relations: Literal["form", "asked"] = "asked"
    """As in verify_synonyms."""
    calibration: str = ""
    """As in verify_synonyms."""
    budget_seconds: float = Field(default=120.0, gt=0)
    max_tokens: int = Field(default=96, ge=1)


class EnhanceDictionaryConfig(StepConfig):
    """``enhance_dictionary``."""

    verification_threshold: float = Field(default=0.8, ge=0, le=1)
    """Least probability of a pair that enters the dictionary."""
    previous: str = ""
    """The dictionary.jsonl of an earlier run, a path or s3 address: ``changes.tsv`` tells what is new."""
