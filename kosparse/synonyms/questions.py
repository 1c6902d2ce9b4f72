"""Asking a language model about pairs of terms: prompts out, log-odds in.

Of each pair it is asked whether the two are the same. A small model says yes to much that is only near. So it also
names each term in the other language by itself, and where it names another one than the pair's, it is asked which of
the two it is: "melting point" may pass for 끓는점, but not beside "boiling point".
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from kosparse import prompts
from kosparse.errors import ServiceError
from kosparse.llm.accounting import Answer
from kosparse.llm.ask import ask
from kosparse.llm.labels import log_odds, swapped_log_odds
from kosparse.ports import ChatModel, ChatRequest
from kosparse.records import Completion, Provenance, SynonymCandidate
from kosparse.synonyms.terms import english_key, korean_key, tidy, tidy_english

SAME, NAME, CHOOSE = "verify_synonym", "translate_term", "choose_synonym"
PROMPTS = (SAME, NAME, CHOOSE)
LANGUAGES = ("ko", "en")
"""Everything is asked in both: a small model's bias differs between them, their sum has less."""
_TOP_LOGPROBS = 20
_SPELLINGS = {
    "ko": (("예", "네", "yes", "Yes"), ("아니", "no", "No")),
    "en": (("Yes", "yes", "YES"), ("No", "no", "NO")),
}
_LETTERS = ("A",), ("B",)
_NAME_TOKENS = 12
_NAMING_SHARE = 0.3
"""Of the budget, at most, for the model's own terms."""
_QUOTES = "\"'.<> "

Odds = Mapping[str, float]
OwnTerms = Mapping[tuple[str, str], str]
"""``(language, term)`` -> what the model calls it in the other language."""


def ask_pairs(
    model: ChatModel, candidates: Sequence[SynonymCandidate], *, what: str, budget_seconds: float
) -> list[dict[str, float] | None]:
    """Log-odds that each pair is synonymous, by question: ``{"ko": 2.1, "en": -0.4, "ko_choice": -1.3, ...}``.

    ``ko`` and ``en`` are those of a yes, asked in that language. ``ko_choice`` are those of the pair's English term
    against the one that the model itself gives for the Korean one, ``en_choice`` the reverse; 0 where it gives the
    pair's, or where it takes neither. Answers are the probabilities of the first token, never text. None for pairs the
    budget did not reach, or whose answers held no label.

    Raises:
        ServiceError: The service is dead, or answers without token probabilities.
    """
    started = time.monotonic()
    own = _own_terms(model, candidates, f"{what}, own terms", budget_seconds * _NAMING_SHARE)
    asked = [list(_questions(candidate, own)) for candidate in candidates]
    requests = [
        ChatRequest(messages=messages, max_tokens=1, top_logprobs=_TOP_LOGPROBS)
        for questions in asked
        for _, messages in questions
    ]
    left = max(budget_seconds - (time.monotonic() - started), 1.0)
    answers = ask(model, requests, what=what, budget_seconds=left)
    check_probabilities(answers)
    every = iter(answers)
    return [_odds([(name, next(every)) for name, _ in questions]) for questions in asked]


def provenance(model: ChatModel) -> Provenance:
    """What a verdict that used the model records."""
    fingerprints = " ".join(prompts.load(name).fingerprint for name in PROMPTS)
    return Provenance(prompt=fingerprints, model=model.model, quantization=model.quantization)


def check_probabilities(answers: Sequence[Answer]) -> None:
    """Refuse a service that answers without token probabilities.

    Raises:
        ServiceError: Not one of the answers has any.
    """
    done = [answer for answer in answers if isinstance(answer, Completion)]
    if done and not any(answer.first_token_logprobs for answer in done):
        raise ServiceError(
            "the language model answers without token probabilities, so pairs cannot be verified",
            where="verify_synonyms",
            fix='Use a server that returns logprobs (vLLM does), or set the strategy "low", which asks no model.',
        )


def said_yes(odds: Odds) -> float:
    """Log-odds of a yes, of both languages together."""
    return sum(odds[language] for language in LANGUAGES)


def preferred(odds: Odds) -> float:
    """Log-odds against the model's own terms, of both directions together."""
    return sum(odds[_choice(language)] for language in LANGUAGES)


def _choice(language: str) -> str:
    return f"{language}_choice"


def _own_terms(model: ChatModel, candidates: Sequence[SynonymCandidate], what: str, budget_seconds: float) -> OwnTerms:
    """Those that came in time; empty where the model named nothing."""
    prompt = prompts.load(NAME)
    terms = [(language, _side(candidate, language)) for candidate in candidates for language in LANGUAGES]
    distinct = list(dict.fromkeys(terms))
    requests = [
        # Its probabilities are not looked at: a model that would think first is made to answer where they are wanted.
        ChatRequest(
            messages=prompt.messages(term=term, language=language),
            max_tokens=_NAME_TOKENS,
            top_logprobs=1,
            every_token=True,
        )
        for language, term in distinct
    ]
    answers = ask(model, requests, what=what, budget_seconds=budget_seconds)
    return {
        (language, term): _named(answer, language)
        for (language, term), answer in zip(distinct, answers, strict=True)
        if answer is not None
    }


def _named(answer: Answer, language: str) -> str:
    """The term of an answer that may have quotes or a second line around it."""
    lines = answer.text.strip().splitlines() if isinstance(answer, Completion) else []
    term = lines[0].strip(_QUOTES) if lines else ""
    return tidy_english(term) if language == "ko" else tidy(term)


def _side(candidate: SynonymCandidate, language: str) -> str:
    return candidate.ko if language == "ko" else candidate.en


def _questions(candidate: SynonymCandidate, own: OwnTerms) -> Iterator[tuple[str, tuple[dict[str, str], ...]]]:
    """Name and messages of each: two, and two more for each own term that is another one; none while one is missing."""
    sides = {language: _side(candidate, language) for language in LANGUAGES}
    if any((language, term) not in own for language, term in sides.items()):
        return
    same, choose = prompts.load(SAME), prompts.load(CHOOSE)
    for language in LANGUAGES:
        yield language, same.messages(ko=candidate.ko, en=candidate.en, language=language)
    for language, other, key in (("ko", "en", english_key), ("en", "ko", korean_key)):
        theirs, ours = sides[other], own[language, sides[language]]
        if ours and key(ours) != key(theirs):
            for first, second in ((theirs, ours), (ours, theirs)):
                messages = choose.messages(term=sides[language], first=first, second=second, language=language)
                yield _choice(language), messages


def _odds(answers: Sequence[tuple[str, Answer]]) -> dict[str, float] | None:
    by_name: dict[str, list[Completion]] = {}
    for name, answer in answers:
        if not isinstance(answer, Completion):
            return None
        by_name.setdefault(name, []).append(answer)
    found: dict[str, float | None] = dict.fromkeys(map(_choice, LANGUAGES), 0.0)
    for name, (first, *swapped) in by_name.items():
        if swapped:
            # Where it takes neither, nothing is known: 0, as where there is no other term.
            found[name] = swapped_log_odds(first, swapped[0], *_LETTERS) or 0.0
        else:
            found[name] = log_odds(first, *_SPELLINGS[name])
    known = {name: value for name, value in found.items() if value is not None}
    return known if by_name and len(known) == 2 * len(LANGUAGES) else None
