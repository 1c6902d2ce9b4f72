"""Asking a language model about pairs and terms: prompts out, log-odds in."""

from __future__ import annotations

from collections.abc import Sequence

from kosparse import prompts
from kosparse.errors import ServiceError
from kosparse.llm.ask import ask
from kosparse.llm.labels import log_odds
from kosparse.ports import ChatModel, ChatRequest
from kosparse.records import Completion, Provenance, Reject, SynonymCandidate

PROMPT = "verify_synonym"
LANGUAGES = ("ko", "en")
"""Each pair is asked about in both: a small model's bias to yes differs between them, their sum has less."""
_TOP_LOGPROBS = 20
_SPELLINGS = {
    "ko": (("예", "네", "yes", "Yes"), ("아니", "no", "No")),
    "en": (("Yes", "yes", "YES"), ("No", "no", "NO")),
}


def ask_pairs(
    model: ChatModel, candidates: Sequence[SynonymCandidate], *, what: str, budget_seconds: float, max_tokens: int = 1
) -> list[dict[str, float] | None]:
    """Log-odds that each pair is synonymous, by language: ``{"ko": 2.1, "en": -0.4}``.

    Answers are the probabilities of the first token, never text. None for pairs the budget did not
    reach, or whose answer held neither label.

    Raises:
        ServiceError: The service is dead, or answers without token probabilities.
    """
    prompt = prompts.load(PROMPT)
    requests = [
        ChatRequest(
            messages=prompt.messages(ko=candidate.ko, en=candidate.en, language=language),
            max_tokens=max_tokens,
            top_logprobs=_TOP_LOGPROBS,
        )
        for candidate in candidates
        for language in LANGUAGES
    ]
    answers = ask(model, requests, what=what, budget_seconds=budget_seconds)
    _check_probabilities(answers)
    odds = [
        log_odds(answer, *_SPELLINGS[language]) if isinstance(answer, Completion) else None
        for answer, language in zip(answers, LANGUAGES * len(candidates), strict=True)
    ]
    pairs = [odds[i : i + len(LANGUAGES)] for i in range(0, len(odds), len(LANGUAGES))]
    return [_both(pair) for pair in pairs]


def provenance(model: ChatModel) -> Provenance:
    """What a verdict that used the model records."""
    return Provenance(prompt=prompts.load(PROMPT).fingerprint, model=model.model, quantization=model.quantization)


def _both(values: Sequence[float | None]) -> dict[str, float] | None:
    found = {language: value for language, value in zip(LANGUAGES, values, strict=True) if value is not None}
    return found if len(found) == len(LANGUAGES) else None


def _check_probabilities(answers: Sequence[Completion | Reject | None]) -> None:
    done = [answer for answer in answers if isinstance(answer, Completion)]
    if done and not any(answer.first_token_logprobs for answer in done):
        raise ServiceError(
            "the language model answers without token probabilities, so pairs cannot be verified",
            where="verify_synonyms",
            fix='Use a server that returns logprobs (vLLM does), or set the strategy "low", which asks no model.',
        )
