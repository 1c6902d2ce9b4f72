"""What a run will ask of the language model, before it is asked: calls, tokens, hours and money.

Calls follow from the configs and the size of the collection; prompt tokens from the prompts rendered with
texts of the collection's size; written tokens from the few-shot answers, which are what an answer should
look like. All are upper bounds in one way: a step's time budget may end it earlier.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kosparse import config as configs
from kosparse import prompts
from kosparse.config import (
    AugmentQueriesConfig,
    DiscoverSynonymsConfig,
    FilterPairsConfig,
    GenerateDocumentsConfig,
    GenerateHardNegativesConfig,
    GenerateQueriesConfig,
    IngestCorpusConfig,
    LlmStepConfig,
    MineSynonymsConfig,
    StepConfig,
    VerifySynonymsConfig,
)
from kosparse.errors import ConfigError
from kosparse.llm.accounting import Prices

CHARACTERS_PER_TOKEN = 1.5
"""Korean prompts under the Qwen2.5 tokenizer: 1.4 to 1.7."""
_QUERY_CHARACTERS, _TERM_CHARACTERS = 20, 6
_ASKED_OF_PAIR = (("verify_synonym", 2), ("translate_term", 2), ("choose_synonym", 4))
"""Questions about a pair of terms at most, in both languages: is it the same, its own terms, and which it prefers."""
_TYPE_QUESTIONS, _TYPE_CHARACTERS = 2, 450
"""How its terms relate, in two languages; five options and two sentences are shown."""


@dataclass(frozen=True)
class Collection:
    """The size of what is asked about."""

    documents: int
    passages: int
    passage_characters: float
    """On average."""

    @classmethod
    def measure(cls, texts: Iterable[str], config: IngestCorpusConfig) -> Collection:
        """Count documents and, nearly, passages: cuts at sentence ends may add a few.

        >>> Collection.measure(["가" * 100, "나" * 2300], IngestCorpusConfig(passage_characters=1200))
        Collection(documents=2, passages=3, passage_characters=800.0)
        """
        documents = passages = characters = 0
        for text in texts:
            documents += 1
            passages += max(1, math.ceil(len(text) / config.passage_characters))
            characters += len(text)
        return cls(documents, passages, characters / max(passages, 1))


@dataclass(frozen=True)
class StepEstimate:
    """One step's share."""

    step: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    budget_seconds: float
    """The most it takes: no new request is sent after that."""

    def hours(self, tokens_per_second: float) -> float:
        """Until all is written at that rate, or the budget ends it; the budget where no rate is known (0)."""
        writing = self.completion_tokens / tokens_per_second if tokens_per_second else math.inf
        return (min(writing, self.budget_seconds) if self.calls else 0.0) / 3600

    def cost(self, prices: Prices) -> float:
        """Money for all calls."""
        return prices.cost(self.prompt_tokens, self.completion_tokens)


def estimate(collection: Collection, settings: Mapping[str, Mapping[str, Any]]) -> list[StepEstimate]:
    """One row per step that asks the language model, in graph order.

    Args:
        collection: What is asked about.
        settings: Step -> key -> value; what is not there has its default.

    Raises:
        ConfigError: A value a config cannot have, or an unknown key.
    """
    verify = _config(VerifySynonymsConfig, settings)
    discover = _config(DiscoverSynonymsConfig, settings)
    queries = _config(GenerateQueriesConfig, settings)
    augment = _config(AugmentQueriesConfig, settings)
    documents = _config(GenerateDocumentsConfig, settings)
    negatives = _config(GenerateHardNegativesConfig, settings)
    pairs = _config(FilterPairsConfig, settings)

    asked = min(queries.max_passages or collection.passages, collection.passages)
    per_passage = math.ceil(queries.queries_per_passage / len(queries.query_types))
    written = asked * queries.queries_per_passage
    shown = min(collection.passage_characters, queries.excerpt_characters)
    answered = min(augment.max_queries, written)
    all_pairs = written + answered + documents.max_queries * len(documents.grades)
    judged = min(pairs.max_judged, all_pairs) if pairs.judge else 0
    together = min(pairs.judge_together, queries.queries_per_passage)
    judged_shown = min(collection.passage_characters, pairs.excerpt_characters)
    negative_shown = min(collection.passage_characters, negatives.excerpt_characters)
    terms = 2 * _TERM_CHARACTERS
    mined = _config(MineSynonymsConfig, settings).max_candidates
    doubted = {"low": 0, "balanced": min(verify.max_candidates, mined), "high": mined}[verify.strategy]
    asks = verify.strategy != "low"
    verified, typed = (doubted + verify.labelled_pairs) * asks, (doubted + verify.typed_first) * asks
    proposed = discover.max_terms * discover.per_term * 2
    return [
        _row("verify_synonyms", verify, _asked_of_pairs(verify, verified, typed)),
        _row(
            "discover_synonyms",
            discover,
            [
                (discover.max_terms, "discover_synonyms", terms),
                *_asked_of_pairs(discover, proposed, proposed),
            ],
        ),
        _row("generate_queries", queries, [(asked * per_passage, "generate_queries", shown)]),
        _row("augment_queries", augment, [(answered, "augment_query", _QUERY_CHARACTERS)]),
        _row(
            "generate_documents",
            documents,
            [(min(documents.max_queries, written) * len(documents.grades), "generate_documents", _QUERY_CHARACTERS)],
        ),
        _row(
            "generate_hard_negatives",
            negatives,
            [(min(negatives.max_pairs, written), "generate_hard_negatives", _QUERY_CHARACTERS + negative_shown)],
        ),
        _row(
            "filter_pairs",
            pairs,
            [(math.ceil(judged / together), "judge_queries", together * _QUERY_CHARACTERS + judged_shown)],
            written=together * pairs.max_tokens,
        ),
    ]


def _asked_of_pairs(
    config: VerifySynonymsConfig | DiscoverSynonymsConfig, pairs: int, typed: int
) -> list[tuple[int, str, float]]:
    asked = [(each * pairs, name, float(2 * _TERM_CHARACTERS)) for name, each in _ASKED_OF_PAIR]
    if config.relations == "form":
        return asked
    return [*asked, (_TYPE_QUESTIONS * typed, "type_synonym", float(_TYPE_CHARACTERS))]


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse what is no step -> key -> value.

    Raises:
        ConfigError: Names the step.
    """
    for step, values in settings.items():
        name = "".join(word.capitalize() for word in step.split("_")) + "Config"
        known = getattr(configs, name, None)
        if isinstance(values, str) and known is None:
            continue  # a run's arguments.json names its corpus beside the steps
        if known is None or not isinstance(values, Mapping):
            raise ConfigError(f"there is no step {step!r}", where="settings", fix="Write step.key=value.")
        known.parse(values, step=step)


def _config(kind: type[Any], settings: Mapping[str, Mapping[str, Any]]) -> Any:
    step = _step_name(kind)
    return kind.parse(settings.get(step, {}), step=step)


def _step_name(kind: type[StepConfig]) -> str:
    """``generate_queries`` for GenerateQueriesConfig."""
    name = kind.__name__.removesuffix("Config")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _row(
    step: str, config: LlmStepConfig, asked: list[tuple[int, str, float]], *, written: float | None = None
) -> StepEstimate:
    """``asked``: (calls, prompt, characters of the question's data); ``written``: tokens of an answer, where known."""
    most = getattr(config, "max_tokens", 1)
    return StepEstimate(
        step=step,
        calls=sum(calls for calls, _, _ in asked),
        prompt_tokens=round(sum(calls * _prompt_tokens(name, data) for calls, name, data in asked)),
        completion_tokens=round(sum(calls * (written or _written_tokens(name, most)) for calls, name, _ in asked)),
        budget_seconds=config.budget_seconds,
    )


def _prompt_tokens(name: str, data_characters: float) -> float:
    prompt = prompts.load(name)
    messages = prompt.messages(**{variable: "" for variable in prompt.variables})
    return (sum(len(message["content"]) for message in messages) + data_characters) / CHARACTERS_PER_TOKEN


def _written_tokens(name: str, most: int) -> float:
    """As long as the examples' answers; a label is one token."""
    prompt = prompts.load(name)
    if prompt.labels:
        return min(1.0, most)
    answers = [
        example.answer if isinstance(example.answer, str) else json.dumps(example.answer, ensure_ascii=False)
        for example in prompt.examples
    ]
    if not answers:
        return _TERM_CHARACTERS / CHARACTERS_PER_TOKEN  # what has no examples asks for a term
    return min(sum(map(len, answers)) / len(answers) / CHARACTERS_PER_TOKEN, most)
