"""One config class per step: the only place where a default is written.

The defaults are the ``small`` recipe. ``pipelines/recipes.py`` overrides some of them; users override
any. Numbers inside KFP dict parameters arrive as floats, so parsing is lenient (3.0 is 3, 3.5 is
refused) and unknown keys are errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kosparse.errors import ConfigError


class StepConfig(BaseModel):
    """Base of all step configs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 13

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
            return cls.model_validate(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigError(
                f"{step or cls.__name__}: {key}: {first['msg']}; got {first['input']!r}",
                where=f"config of {step or cls.__name__}",
                fix=f"Known keys: {', '.join(sorted(cls.model_fields))}. See docs/steps.md.",
            ) from error


class LlmStepConfig(StepConfig):
    """What all steps that ask the language model share."""

    concurrency: int = Field(default=8, ge=1, le=1024)
    """Requests in flight."""
    budget_seconds: float = Field(default=120.0, gt=0)
    """No new request is sent after this long, once ``at_least`` are answered."""
    at_least: int = Field(default=0, ge=0)
    """Requests that are answered whatever the budget says."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: float = Field(default=0.95, gt=0, le=1)
    max_tokens: int = Field(default=192, ge=1)
    prompt_fingerprint: str = ""
    """Set when the pipeline is compiled, so that a changed prompt is not served from KFP's cache."""


class CheckPrerequisitesConfig(StepConfig):
    """``check_prerequisites``."""

    recipe: str = "small"
    free_disk_gb: float = Field(default=2.0, ge=0)
    require_s3: bool = True
    require_mlflow: bool = True


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


class PrepareBackboneConfig(StepConfig):
    """``prepare_backbone``."""

    model: str = "packaged:multilingual-e5-small"
    """``packaged:<name>``, a hub id, or a folder with a masked language model or encoder."""
    layers: int = Field(default=12, ge=1)
    prune_vocabulary: bool = True
    max_length: int = Field(default=512, ge=16)
    active_quantile: float = Field(default=0.985, gt=0, lt=1)
    """Output logits below this quantile start at zero, else every term would be active."""


class ComputeIdfConfig(StepConfig):
    """``compute_idf``."""


class DetectTrendsConfig(StepConfig):
    """``detect_trends``."""

    recent_days: int = Field(default=30, ge=1)
    min_count: int = Field(default=5, ge=1)
    false_discovery_rate: float = Field(default=0.05, gt=0, lt=1)
    max_boost: float = Field(default=2.0, ge=1)


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


class MineSynonymsConfig(StepConfig):
    """``mine_synonyms``."""

    sources: list[Literal["parenthesis", "aligned", "embedding"]] = ["parenthesis", "aligned", "embedding"]
    curated: str = ""
    """A TSV of ``ko<TAB>en``; empty uses the starter list that ships."""
    min_count: int = Field(default=1, ge=1)
    max_candidates: int = Field(default=3000, ge=1)
    embedding_terms: int = Field(default=1500, ge=0)
    """Most frequent Korean and English terms compared by embedding."""


class VerifySynonymsConfig(LlmStepConfig):
    """``verify_synonyms``."""

    strategy: Literal["high", "balanced", "low"] = "balanced"
    verification_threshold: float = Field(default=0.8, ge=0, le=1)
    max_candidates: int = Field(default=160, ge=0)
    """Candidates the LLM is asked about."""
    labelled: str = ""
    """A TSV of labelled pairs (ko, en, label, kind, evidence); empty uses those that ship."""
    labelled_pairs: int = Field(default=40, ge=0)
    """Labelled pairs the LLM is asked about, to calibrate its answers."""
    budget_seconds: float = Field(default=150.0, gt=0)
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=1, ge=1)


class DiscoverSynonymsConfig(LlmStepConfig):
    """``discover_synonyms``."""

    max_terms: int = Field(default=24, ge=0)
    per_term: int = Field(default=2, ge=1, le=10)
    min_p: float = Field(default=0.9, ge=0, le=1)
    """Only pairs at least this sure are extended."""
    labelled_pairs: int = Field(default=40, ge=0)
    """As in verify_synonyms, whose answers are then found in the cache."""
    budget_seconds: float = Field(default=60.0, gt=0)
    max_tokens: int = Field(default=96, ge=1)


class EnhanceDictionaryConfig(StepConfig):
    """``enhance_dictionary``."""

    verification_threshold: float = Field(default=0.8, ge=0, le=1)


class GenerateQueriesConfig(LlmStepConfig):
    """``generate_queries``."""

    queries_per_passage: int = Field(default=3, ge=1, le=20)
    max_passages: int = Field(default=80, ge=0)
    """0 means all; passages are drawn evenly over the collection."""
    query_types: list[str] = Field(default=["keyword", "question", "colloquial"], min_length=1)
    """One query of each per request, in this order; the prompt's answer declares the types there are."""
    excerpt_characters: int = Field(default=300, ge=50)
    """Of a longer passage the model is shown about this much: its opening and a window drawn anywhere."""
    temperature: float = Field(default=0.3, ge=0, le=2)
    max_tokens: int = Field(default=128, ge=1)
    at_least: int = Field(default=60, ge=0)
    budget_seconds: float = Field(default=420.0, gt=0)


class AugmentQueriesConfig(LlmStepConfig):
    """``augment_queries``."""

    max_queries: int = Field(default=24, ge=0)
    """Queries the LLM paraphrases; dictionary substitution covers all."""
    substitutions_per_query: int = Field(default=1, ge=0)
    budget_seconds: float = Field(default=60.0, gt=0)
    max_tokens: int = Field(default=96, ge=1)


class GenerateDocumentsConfig(LlmStepConfig):
    """``generate_documents``."""

    max_queries: int = Field(default=8, ge=0)
    grades: list[int] = Field(default=[3, 1], min_length=1)
    """A passage of each is written per query: 3 exact, 2 partial, 1 related, 0 off-topic."""
    budget_seconds: float = Field(default=60.0, gt=0)
    max_tokens: int = Field(default=256, ge=1)


class GenerateHardNegativesConfig(LlmStepConfig):
    """``generate_hard_negatives``."""

    max_pairs: int = Field(default=8, ge=0)
    error_types: list[Literal["other_entity", "other_aspect", "other_condition", "no_answer"]] = Field(
        default=["other_entity", "other_aspect", "other_condition", "no_answer"], min_length=1
    )
    """How the passages fail, taken in turn."""
    excerpt_characters: int = Field(default=250, ge=50)
    budget_seconds: float = Field(default=60.0, gt=0)
    max_tokens: int = Field(default=256, ge=1)


class FilterPairsConfig(LlmStepConfig):
    """``filter_pairs``."""

    min_characters: int = Field(default=2, ge=1)
    max_characters: int = Field(default=100, ge=1)
    min_hangul_syllables: int = Field(default=2, ge=0)
    max_copy_share: float = Field(default=0.8, gt=0, le=1)
    """A query is a copy when this share of its content morphemes stands in its passage in one piece ..."""
    max_copy_characters: int = Field(default=20, ge=1)
    """... and it is longer than this: a short keyword may well stand in the text."""
    round_trip_rank: int = Field(default=50, ge=0)
    """The passage must be among the best so many for its query under BM25; 0 switches it off."""
    judge: bool = True
    max_judged: int = Field(default=40, ge=0)
    excerpt_characters: int = Field(default=300, ge=50)
    """What the judge is shown; the value of generate_queries shows it what the query was written from."""
    min_judge_score: float = Field(default=-2.0)
    """Log-odds that the passage answers the query."""
    budget_seconds: float = Field(default=90.0, gt=0)
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=1, ge=1)


class MineNegativesConfig(StepConfig):
    """``mine_negatives``."""

    per_pair: int = Field(default=4, ge=0)
    depth: int = Field(default=50, ge=1)
    max_share_of_positive: float = Field(default=0.95, gt=0, le=1)
    """A candidate scoring above this share of the positive is left out (NV-Retriever, 2407.15831)."""


class BuildTrainingSetConfig(StepConfig):
    """``build_training_set``."""

    pseudo_queries: int = Field(default=6000, ge=0)
    """Noun phrases and sentences of passage bodies, scored by the teachers."""
    teacher_depth: int = Field(default=64, ge=2)
    """Passages kept with a teacher score per query."""
    bm25_weight: float = Field(default=0.5, ge=0, le=1)
    """Share of BM25 in the teacher; the rest is dense."""
    use_synthetic: bool = True
    use_written_negatives: bool = False
    """LLM-written negatives underperform mined ones in most studies (2504.21015v3)."""


class TrainSparseConfig(StepConfig):
    """``train_sparse``."""

    train: Literal["head", "all"] = "head"
    """``head`` trains on cached encoder states: minutes on two cores. ``all`` wants a GPU."""
    max_seconds: float = Field(default=240.0, gt=0)
    max_steps: int = Field(default=1500, ge=1)
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    query_learning_rate: float = Field(default=1e-2, ge=0)
    temperature: float = Field(default=20.0, gt=0)
    """Teacher scores in [0, 1] are multiplied by this before the softmax."""
    flops_weight: float = Field(default=3e-3, ge=0)
    dictionary_weight: float = Field(default=0.1, ge=0)
    dictionary_p: float = Field(default=0.8, ge=0, le=1)
    """Entries below this probability do not supervise."""
    label_weight: float = Field(default=0.0, ge=0, le=1)
    """Share of the target moved to the passage a query came from."""
    passages_per_query: int = Field(default=2, ge=1)
    """With ``train="all"``: passages of each query's teacher ranking that a step encodes."""
    synthetic_share: float = Field(default=0.33, ge=0, le=1)
    """Share of a batch drawn from synthetic pairs; the rest are pseudo-queries."""
    device: str = "auto"


class EvaluateConfig(StepConfig):
    """``evaluate``."""

    split: Literal["test", "validation", "train"] = "test"
    depth: int = Field(default=100, ge=10)
    fusion_weight: float = Field(default=0.5, ge=0, le=1)
    """Weight of the sparse model in the z-score fusion with BM25: fixed, never chosen on test."""
    permutations: int = Field(default=10000, ge=100)
    examples: int = Field(default=8, ge=0)
    """Documents, queries, wins and losses kept for the report, each."""


class ReportConfig(StepConfig):
    """``report``."""

    examples: int = Field(default=8, ge=0)


class RegisterModelConfig(StepConfig):
    """``register_model``."""

    name: str = "kosparse"
    alias: str = "challenger"


class ExportOpensearchConfig(StepConfig):
    """``export_opensearch``."""

    destination: str = ""
    """``s3://bucket/prefix`` to copy the bundle to; empty keeps it as an artifact only."""
    fusion_weight: float = Field(default=0.5, ge=0, le=1)
    """Weight of the sparse query in hybrid queries; the one evaluated."""
