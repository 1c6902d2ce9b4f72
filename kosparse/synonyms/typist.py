"""Who says how the terms of pairs relate: a language model, believed if it could tell that of labelled pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kosparse import progress
from kosparse.ports import ChatModel
from kosparse.records import SynonymCandidate, Verdict
from kosparse.synonyms.curated import LabelledPair
from kosparse.synonyms.typed import Types, ask_types, likeliest, related_by_types, typed_by

_LEAST_RIGHT = 0.75
"""Of what a model says of labelled pairs, if what it says of others is to be believed."""


class Typist:
    """Types labelled pairs first. What a model that cannot tell these says of others is kept and decides nothing, and
    a line says so; one that names no types at all is asked no further.

    Args:
        model: Whom to ask.
        labelled: Pairs of which it is known whether they are synonyms, some of both.
        budget_seconds: No question about these is sent after that.

    Raises:
        ServiceError: The service is dead, or answers without token probabilities.
    """

    def __init__(self, model: ChatModel, labelled: Sequence[LabelledPair], *, budget_seconds: float) -> None:
        asked = [pair.candidate for pair in labelled]
        told = ask_types(model, asked, what="labelled relations", budget_seconds=budget_seconds)
        self._model, self.right = model, telling_right([pair.label for pair in labelled], told)
        if not self.can_tell:
            share = "does not say" if self.right is None else f"tells {self.right:.0%} of"
            others = "is not asked that of others" if self.right is None else "does not decide that of others"
            progress.note(
                f"synonyms: the language model {share} how the terms of {len(labelled)} labelled pairs relate, so it "
                f"{others}: their form does"
            )

    @property
    def can_tell(self) -> bool:
        """Whether what it says decides how terms relate."""
        return self.right is not None and self.right >= _LEAST_RIGHT

    def types(self, candidates: Sequence[SynonymCandidate], *, budget_seconds: float) -> list[Types | None]:
        """See ``typed.ask_types``; None of all where it names no types."""
        if self.right is None:
            return [None] * len(candidates)
        return ask_types(self._model, candidates, what="relations", budget_seconds=budget_seconds)

    def relate(
        self, verdicts: Sequence[Verdict], types: Mapping[int, Types], *, threshold: float, budget_seconds: float
    ) -> list[Verdict]:
        """The verdicts with the types of those at the given positions; related by these if it can tell, see
        ``related_by_types``."""
        typed = [
            typed_by(verdict, types[i], self._model) if i in types else verdict for i, verdict in enumerate(verdicts)
        ]
        if not self.can_tell:
            return typed
        return related_by_types(typed, self._model, threshold=threshold, budget_seconds=budget_seconds)


def telling_right(labels: Sequence[bool], told: Sequence[Types | None]) -> float | None:
    """How far types tell synonyms from others: mean of the shares of both that are typed as what they are.

    Args:
        labels: Whether each pair is synonymous.
        told: What a model said of each.

    Returns:
        In [0, 1], .5 for one that says the same of all; None where it did not speak of both kinds.
    """
    said = [(label, likeliest(types) == "equivalent") for label, types in zip(labels, told, strict=True) if types]
    shares = [[found == kind for label, found in said if label == kind] for kind in (True, False)]
    return float(np.mean([np.mean(share) for share in shares])) if all(shares) else None
