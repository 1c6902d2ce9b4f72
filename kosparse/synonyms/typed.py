"""Asking a language model how the two terms of a pair relate, beside sentences that use them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kosparse import prompts
from kosparse.llm.accounting import Answer
from kosparse.llm.ask import ask
from kosparse.llm.labels import label_log_probabilities
from kosparse.ports import ChatModel, ChatRequest
from kosparse.records import Completion, Provenance, Relation, SynonymCandidate, Verdict
from kosparse.synonyms.questions import LANGUAGES, check_probabilities

PROMPT = "type_synonym"
TYPES: tuple[Relation, ...] = ("equivalent", "hypernym", "related", "antonym", "wrong")
"""What it may answer; ``hypernym`` is either term's. Abbreviations, transliterations and spellings are equivalents of a
certain form."""
_DIRECTIONS: tuple[Relation, ...] = ("hypernym", "hyponym")
_EITHER = {"hypernym": "broader"}
"""How the prompt names an option that leaves open which of the two is broader."""
_LETTERS = "ABCDE"
_ASKED = tuple(zip(LANGUAGES, (slice(None), slice(None, None, -1)), strict=True))
_EXAMPLES, _EXAMPLE_CHARACTERS = 2, 160
_TOP_LOGPROBS = 20

Types = dict[str, float]
"""Natural-log probability by type."""


def ask_types(
    model: ChatModel, candidates: Sequence[SynonymCandidate], *, what: str, budget_seconds: float
) -> list[Types | None]:
    """How each pair relates, by ``TYPES``: the mean over two languages, the options of one in the order of the other
    turned round, so that a liking for a letter cancels out.

    Two example sentences of the pair are shown where it has any. None for pairs the budget did not reach, or whose
    answers held no letter.

    Raises:
        ServiceError: The service is dead, or answers without token probabilities.
    """
    shown = [_EITHER.get(name, name) for name in TYPES]
    return _ask(model, candidates, TYPES, shown, what, budget_seconds)


def likeliest(types: Types) -> Relation:
    """Of those there are; of two that are equally likely the first."""
    return max((name for name in (*TYPES, "hyponym") if name in types), key=lambda name: types[name])


def typed_by(verdict: Verdict, types: Types, model: ChatModel) -> Verdict:
    """The verdict with what the model said of its types, and with the prompt that asked."""
    asked = prompts.load(PROMPT).fingerprint
    made_by = verdict.provenance or Provenance(prompt="", model=model.model, quantization=model.quantization)
    provenance = made_by.model_copy(update={"prompt": f"{asked} {made_by.prompt}".strip()})
    return verdict.model_copy(update={"types": types, "provenance": provenance})


def related_by_types(
    verdicts: Sequence[Verdict], model: ChatModel, *, threshold: float, budget_seconds: float
) -> list[Verdict]:
    """The same verdicts; those that passed and were typed relate as the model says.

    What it calls equivalent keeps the relation that its form has. Of what it calls broader it is asked which of the two
    terms that is; where the budget does not reach that far, the form decides.

    Args:
        verdicts: With the types of those that were asked about.
        model: Whom to ask.
        threshold: Of p, in [0, 1].
        budget_seconds: No question is sent after that.
    """
    passed = {
        i: likeliest(verdict.types) for i, verdict in enumerate(verdicts) if verdict.types and verdict.p >= threshold
    }
    broader = [i for i, found in passed.items() if found == "hypernym"]
    asked = [verdicts[i].candidate for i in broader]
    answers = _ask(model, asked, _DIRECTIONS, list(_DIRECTIONS), "broader terms", budget_seconds)
    known: dict[int, Relation] = {i: found for i, found in passed.items() if found not in ("equivalent", "hypernym")}
    known |= {i: likeliest(answer) for i, answer in zip(broader, answers, strict=True) if answer is not None}
    return [
        verdict.model_copy(update={"relation": known[i]}) if i in known else verdict
        for i, verdict in enumerate(verdicts)
    ]


def _ask(
    model: ChatModel,
    candidates: Sequence[SynonymCandidate],
    names: Sequence[Relation],
    shown: Sequence[str],
    what: str,
    budget_seconds: float,
) -> list[Types | None]:
    """Log-probability of each of ``names``, which the prompt calls as ``shown``."""
    prompt = prompts.load(PROMPT)
    requests = [
        ChatRequest(
            messages=prompt.messages(
                ko=candidate.ko, en=candidate.en, language=language, options=shown[order], examples=_used(candidate)
            ),
            max_tokens=1,
            top_logprobs=_TOP_LOGPROBS,
        )
        for candidate in candidates
        for language, order in _ASKED
    ]
    answers = ask(model, requests, what=what, budget_seconds=budget_seconds)
    check_probabilities(answers)
    every = iter(answers)
    return [_mean([_by_name(next(every), names[order]) for _, order in _ASKED]) for _ in candidates]


def _used(candidate: SynonymCandidate) -> list[str]:
    return [example[:_EXAMPLE_CHARACTERS] for example in candidate.examples[:_EXAMPLES]]


def _by_name(answer: Answer, names: Sequence[Relation]) -> Types | None:
    found = label_log_probabilities(answer, _LETTERS[: len(names)]) if isinstance(answer, Completion) else None
    return None if found is None else dict(zip(names, found, strict=True))


def _mean(answers: Sequence[Types | None]) -> Types | None:
    known = [answer for answer in answers if answer is not None]
    if len(known) < len(answers):
        return None
    return {name: round(float(np.mean([answer[name] for answer in known])), 3) for name in known[0]}
