"""All that a language model is asked about a pair of terms: how they relate, then whether they are the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kosparse import prompts
from kosparse.ports import ChatModel
from kosparse.records import Provenance, SynonymCandidate
from kosparse.synonyms import questions, typed
from kosparse.synonyms.typed import TYPES, Types

_TYPING_SHARE = 0.45
"""Of the budget, at most, for how terms relate."""


@dataclass(frozen=True)
class Said:
    """What it said of one pair."""

    odds: questions.Odds
    """See ``questions.ask_pairs``."""
    types: Types | None = None
    """See ``typed.ask_types``; None where it was not asked that."""

    def evidence(self) -> list[float]:
        """For the combiner, in the order of ``evidence_names``."""
        said = [questions.said_yes(self.odds), questions.preferred(self.odds)]
        return said if self.types is None else [*said, *(self.types[name] for name in TYPES)]


def evidence_names(typing: bool) -> list[str]:
    """Log-odds of a yes in both languages, log-odds against the model's own terms, log-probabilities of types."""
    return ["llm", "choice", *(TYPES if typing else ())]


def ask_about(
    model: ChatModel, candidates: Sequence[SynonymCandidate], *, typing: bool, what: str, budget_seconds: float
) -> list[Said | None]:
    """What the model says of each pair; None where the budget did not reach all questions, or an answer held no label.

    Args:
        model: Whom to ask.
        candidates: Pairs.
        typing: Whether it is first asked how the terms relate.
        what: Named in the progress line.
        budget_seconds: No question is sent after that.

    Raises:
        ServiceError: The service is dead, or answers without token probabilities.
    """
    started, rows, types = time.monotonic(), list(range(len(candidates))), dict[int, Types]()
    if typing:
        told = typed.ask_types(model, candidates, what=f"{what}, types", budget_seconds=budget_seconds * _TYPING_SHARE)
        types = {row: found for row, found in enumerate(told) if found is not None}
        rows = list(types)
    left = budget_seconds - (time.monotonic() - started)
    odds = questions.ask_pairs(model, [candidates[row] for row in rows], what=what, budget_seconds=left)
    said = {row: Said(found, types.get(row)) for row, found in zip(rows, odds, strict=True) if found is not None}
    return [said.get(row) for row in range(len(candidates))]


def called_equivalent(said: Sequence[Said]) -> float | None:
    """Share of them that the model types as equivalent; None where it typed none."""
    found = [typed.likeliest(each.types) == "equivalent" for each in said if each.types is not None]
    return float(np.mean(found)) if found else None


def provenance(model: ChatModel, typing: bool) -> Provenance:
    """What a verdict that used the model records."""
    names = [*([typed.PROMPT] if typing else []), *questions.PROMPTS]
    fingerprints = " ".join(prompts.load(name).fingerprint for name in names)
    return Provenance(prompt=fingerprints, model=model.model, quantization=model.quantization)
