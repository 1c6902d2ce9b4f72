"""Where in the documents do the terms of a candidate occur?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from kosparse.records import SynonymCandidate
from kosparse.synonyms.terms import korean_key

_MOST_TEXTS = 2000
_EXAMPLE_CHARACTERS = 50
"""Kept on either side of a term."""


@dataclass(frozen=True)
class Texts:
    """Texts to look terms up in: counted in at most 2,000, drawn evenly from a larger collection, found in all."""

    every: Sequence[str]
    plain: Sequence[str]
    """The sample."""
    folded: Sequence[str]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """Take and case-fold the sample."""
        plain = texts[:: max(1, -(-len(texts) // _MOST_TEXTS))]
        return cls(texts, plain, [text.casefold() for text in plain])

    def having(self, *terms: str) -> list[int]:
        """Positions of the texts with any of the terms, spaces in Korean ones being optional."""
        forms = spellings(terms)
        return [i for i, text in enumerate(self.folded) if any(form in text for form in forms)]

    def count(self, *terms: str) -> int:
        """Texts of the sample with any of the terms; 1 for terms that only other texts have, 0 for those of none."""
        found = len(self.having(*terms))
        return found if found or len(self.plain) == len(self.every) else int(self._is_elsewhere(terms))

    def _is_elsewhere(self, terms: Sequence[str]) -> bool:
        """Whether any text has any of the terms; those of which a word stands nowhere need no look at the texts."""
        forms = spellings(terms)
        if any(form in self._words for form in forms if " " not in form):
            return True
        phrases = [form for form in forms if " " in form and all(word in self._words for word in form.split())]
        return bool(phrases) and any(phrase in text.casefold() for text in self.every for phrase in phrases)

    @cached_property
    def _words(self) -> str:
        """Every distinct word of all texts, one a line."""
        return "\n".join({word for text in self.every for word in text.casefold().split()})


def spellings(terms: Sequence[str]) -> set[str]:
    """The terms case-folded, with and without their spaces."""
    return {form for term in terms for form in (term.casefold(), korean_key(term)) if form}


def ground(candidates: Sequence[SynonymCandidate], texts: Sequence[str]) -> list[SynonymCandidate]:
    """Add the feature ``documents`` (see ``Texts.count``), and an example to candidates without one."""
    lookup = Texts.of(texts)
    return [_grounded(candidate, lookup) for candidate in candidates]


def _grounded(candidate: SynonymCandidate, texts: Texts) -> SynonymCandidate:
    terms = (candidate.ko, candidate.en)
    found = texts.having(*terms)
    features = {**candidate.features, "documents": float(texts.count(*terms))}
    if not found or candidate.examples:
        return candidate.model_copy(update={"features": features})
    example = _stretch(texts.plain[found[0]], texts.folded[found[0]], spellings(terms))
    return candidate.model_copy(update={"features": features, "examples": [example]})


def _stretch(text: str, folded: str, forms: set[str]) -> str:
    """The first form that occurs, with the text around it, on one line."""
    at = next(position for form in sorted(forms) if (position := folded.find(form)) >= 0)
    return " ".join(text[max(0, at - _EXAMPLE_CHARACTERS) : at + _EXAMPLE_CHARACTERS].split())
