"""Configs of the steps that write and filter synthetic pairs."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from kosparse.config.base import WritingStepConfig


class GenerateQueriesConfig(WritingStepConfig):
    """``generate_queries``."""

    prompts_used: ClassVar[tuple[str, ...]] = ("generate_queries",)

    concurrency: int = Field(default=64, ge=1, le=1024)
    """Many: a step of 64 answers takes a processor little longer than a step of 16."""
    queries_per_passage: int = Field(default=3, ge=1, le=20)
    """Queries asked for of each passage."""
    max_passages: int = Field(default=60, ge=0)
    """0 means all; passages are drawn evenly over the collection."""
    query_types: list[str] = Field(default=["keyword", "question", "colloquial"], min_length=1)
    """At most one query of each per request; of fewer queries than types each passage gets others, so that all types
    become equally many. The prompt's answer declares them: also ``claim`` and ``code_mixed``."""
    redraws: int = Field(default=1, ge=0)
    """How often a query that says what another one says is asked again, within the budget."""
    excerpt_characters: int = Field(default=300, ge=50)
    """Of a longer passage the model is shown about this much: its opening and a window drawn anywhere."""
    temperature: float = Field(default=0.3, ge=0, le=2)
    max_tokens: int = Field(default=128, ge=1)
    at_least: int = Field(default=60, ge=0)
    budget_seconds: float = Field(default=420.0, gt=0)


class AugmentQueriesConfig(WritingStepConfig):
    """``augment_queries``."""

    prompts_used: ClassVar[tuple[str, ...]] = ("augment_query",)

    max_queries: int = Field(default=12, ge=0)
    """Queries the LLM paraphrases; dictionary substitution covers all."""
    substitutions_per_query: int = Field(default=1, ge=0)
    """Most versions of a query with one term replaced by its synonym; 0 makes none."""
    variants: list[Literal["particles", "spacing", "typo"]] = []
    """Of all queries: particles left out, spaced otherwise, a slip of the finger."""
    concurrency: int = Field(default=4, ge=1, le=1024)
    """Few, for a short budget also waits for what is in flight."""
    budget_seconds: float = Field(default=40.0, gt=0)
    max_tokens: int = Field(default=96, ge=1)


class GenerateDocumentsConfig(WritingStepConfig):
    """``generate_documents``."""

    prompts_used: ClassVar[tuple[str, ...]] = ("generate_documents",)

    max_queries: int = Field(default=2, ge=0)
    """Queries that passages are written for, logged ones first; 0 writes none."""
    grades: list[int] = Field(default=[3, 1], min_length=1)
    """A passage of each is written per query: 3 exact, 2 partial, 1 related, 0 off-topic."""
    concurrency: int = Field(default=4, ge=1, le=1024)
    """Few, for a short budget also waits for what is in flight."""
    budget_seconds: float = Field(default=40.0, gt=0)
    max_tokens: int = Field(default=160, ge=1)
    """Two or three sentences; a small model that repeats itself is cut off here."""


class GenerateHardNegativesConfig(WritingStepConfig):
    """``generate_hard_negatives``."""

    prompts_used: ClassVar[tuple[str, ...]] = ("generate_hard_negatives",)

    max_pairs: int = Field(default=2, ge=0)
    """Pairs that a passage without the answer is written for; 0 writes none."""
    error_types: list[Literal["other_entity", "other_aspect", "other_condition", "no_answer"]] = Field(
        default=["other_entity", "other_aspect", "other_condition", "no_answer"], min_length=1
    )
    """How the passages fail, taken in turn."""
    excerpt_characters: int = Field(default=250, ge=50)
    """Of the passage with the answer the model is shown about this much."""
    concurrency: int = Field(default=4, ge=1, le=1024)
    """Few, for a short budget also waits for what is in flight."""
    budget_seconds: float = Field(default=40.0, gt=0)
    max_tokens: int = Field(default=160, ge=1)
    """As in generate_documents."""


class FilterPairsConfig(WritingStepConfig):
    """``filter_pairs``."""

    prompts_used: ClassVar[tuple[str, ...]] = ("judge_queries",)

    min_characters: int = Field(default=2, ge=1)
    """A shorter query is left out."""
    max_characters: int = Field(default=100, ge=1)
    """A longer query is left out."""
    min_hangul_syllables: int = Field(default=2, ge=0)
    """A query with fewer is left out; 0 lets English ones pass."""
    max_copy_share: float = Field(default=0.8, gt=0, le=1)
    """A query is a copy when this share of its content morphemes stands in its passage in one piece ..."""
    max_stretch_share: float = Field(default=0.95, gt=0, le=1)
    """... or this share in the query's order within a stretch of the passage at most twice as long as the query ..."""
    max_copy_characters: int = Field(default=20, ge=1)
    """... and it is longer than this: a short keyword may well stand in the text."""
    max_copies: float = Field(default=1.0, ge=0, le=1)
    """At most this share of the kept queries are copies of any length, over .8 of their content morphemes standing in
    the passage in the query's order, whatever stands between them; 1 switches it off."""
    personal_data: bool = True
    """Whether queries with phone numbers, resident numbers and the like are left out."""
    near_duplicate_cosine: float = Field(default=0.0, ge=0, le=1)
    """Of two queries with the same numbers and names whose vectors are at least this close, the first stays; 0 switches
    it off and spares the dense encoder."""
    near_duplicate_jaccard: float = Field(default=0.6, gt=0, le=1)
    """... and that share at least this much of their content morphemes."""
    round_trip_rank: int = Field(default=50, ge=0)
    """The passage must be among the best so many for its query under BM25; 0 switches it off."""
    dense_round_trip_rank: int = Field(default=0, ge=0)
    """The same under the dense encoder, which then reads all passages; 0 switches it off."""
    entropy_queries: int = Field(default=1000, ge=0)
    """Kept queries, spread over the set, whose vectors tell how evenly they lie over meanings (``cluster_entropy``); 0
    spares the dense encoder where no filter needs it."""
    judge: bool = True
    """Whether the language model is asked if the passage answers the query."""
    max_judged: int = Field(default=24, ge=0)
    """Most pairs it is asked about; 0 asks about none."""
    judge_together: int = Field(default=1, ge=1, le=100)
    """Most queries of one passage in one question to the judge. A small model judges worse when asked about several."""
    excerpt_characters: int = Field(default=300, ge=50)
    """What the judge is shown; the value of generate_queries shows it what the query was written from."""
    reviewed: int = Field(default=120, ge=1)
    """Pairs on the dataset's review sheet, kept and rejected ones."""
    min_judge_score: float = Field(default=-2.0)
    """Log-odds that the passage answers the query."""
    budget_seconds: float = Field(default=60.0, gt=0)
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=8, ge=1)
    """Per query: ``12. 아니오`` in the tokens of a model that knows little Korean."""
