"""Asking a language model how the two terms of a pair relate, beside sentences that use them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from kosparse import progress, prompts
from kosparse.llm.accounting import Answer
from kosparse.llm.ask import ask
from kosparse.llm.labels import label_log_probabilities
from kosparse.ports import ChatModel, ChatRequest
from kosparse.records import Completion, Provenance, Relation, SynonymCandidate, Verdict

PROMPT = "type_synonym"
TYPES: tuple[Relation, ...] = ("equivalent", "hypernym", "hyponym", "related", "antonym", "wrong")
"""What it may answer; abbreviations, transliterations and spellings are equivalents of a certain form."""
_LETTERS = "ABCDEF"
_ORDERS = (TYPES, TYPES[::-1])
_LANGUAGES = ("ko", "en")
_EXAMPLES, _EXAMPLE_CHARACTERS = 2, 160
_TOP_LOGPROBS = 20
_LEAST_RIGHT = 0.75
"""Of known synonyms, that a model calls equivalent if it can tell relations at all."""


def with_types(
    verdicts: Sequence[Verdict],
    model: ChatModel,
    *,
    known: Sequence[SynonymCandidate],
    threshold: float,
    budget_seconds: float,
) -> list[Verdict]:
    """The same verdicts; those that passed say how their terms relate, as far as the budget reaches.

    What the model calls equivalent keeps the relation that its form has. ``p`` stays: another question was fitted.
    A model that does not call most known synonyms equivalent is not asked further, with a note.

    Args:
        verdicts: Of which those with p at least ``threshold`` are asked about, but for curated ones.
        model: Whom to ask.
        known: Pairs that are synonymous for certain.
        threshold: In [0, 1].
        budget_seconds: No question is sent after that.
    """
    started = time.monotonic()
    told = [types for types in ask_types(model, known, what="known relations", budget_seconds=budget_seconds) if types]
    right = sum(likeliest(types) == "equivalent" for types in told)
    if not told or right < _LEAST_RIGHT * len(told):
        progress.note(
            f"synonyms: of {len(told)} known synonyms that it answered about in time, the language model calls {right} "
            "equivalent, so it is not asked how terms relate: their form decides"
        )
        return list(verdicts)
    chosen = [
        i for i, verdict in enumerate(verdicts) if verdict.p >= threshold and verdict.candidate.source != "curated"
    ]
    asked = [verdicts[i].candidate for i in chosen]
    left = max(budget_seconds - (time.monotonic() - started), 1.0)
    answers = ask_types(model, asked, what="relations", budget_seconds=left)
    made_by = Provenance(prompt=prompts.load(PROMPT).fingerprint, model=model.model, quantization=model.quantization)
    typed = {
        i: _typed(verdicts[i], types, made_by) for i, types in zip(chosen, answers, strict=True) if types is not None
    }
    return [typed.get(i, verdict) for i, verdict in enumerate(verdicts)]


def ask_types(
    model: ChatModel, candidates: Sequence[SynonymCandidate], *, what: str, budget_seconds: float
) -> list[dict[Relation, float] | None]:
    """Natural-log probability of each of ``TYPES``: the mean over two languages and two orders of the options.

    Two example sentences of the pair are shown where it has any. None for pairs the budget did not reach, or whose
    answers held no letter.
    """
    prompt = prompts.load(PROMPT)
    requests = [
        ChatRequest(
            messages=prompt.messages(
                ko=candidate.ko, en=candidate.en, language=language, options=list(order), examples=_shown(candidate)
            ),
            max_tokens=1,
            top_logprobs=_TOP_LOGPROBS,
        )
        for candidate in candidates
        for language, order in _asked()
    ]
    answers = iter(ask(model, requests, what=what, budget_seconds=budget_seconds))
    return [_mean([_by_type(next(answers), order) for _, order in _asked()]) for _ in candidates]


def likeliest(types: dict[Relation, float]) -> Relation:
    """Of ``TYPES``; of two that are equally likely the first."""
    return max(TYPES, key=lambda name: types[name])


def _typed(verdict: Verdict, types: dict[Relation, float], made_by: Provenance) -> Verdict:
    found = likeliest(types)
    relation = verdict.relation if found == "equivalent" else found
    asked = [verdict.provenance.prompt] if verdict.provenance else []
    provenance = made_by.model_copy(update={"prompt": " ".join([*asked, made_by.prompt])})
    return verdict.model_copy(update={"relation": relation, "types": types, "provenance": provenance})


def _asked() -> Iterator[tuple[str, tuple[Relation, ...]]]:
    return ((language, order) for language in _LANGUAGES for order in _ORDERS)


def _shown(candidate: SynonymCandidate) -> list[str]:
    return [example[:_EXAMPLE_CHARACTERS] for example in candidate.examples[:_EXAMPLES]]


def _by_type(answer: Answer, order: Sequence[Relation]) -> dict[Relation, float] | None:
    found = label_log_probabilities(answer, _LETTERS) if isinstance(answer, Completion) else None
    return None if found is None else dict(zip(order, found, strict=True))


def _mean(answers: Sequence[dict[Relation, float] | None]) -> dict[Relation, float] | None:
    known = [answer for answer in answers if answer is not None]
    if len(known) < len(answers):
        return None
    return {name: round(float(np.mean([answer[name] for answer in known])), 3) for name in TYPES}
