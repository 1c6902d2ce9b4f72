"""Where in the documents do the terms of a candidate occur?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from kosparse.records import SynonymCandidate
from kosparse.synonyms.terms import korean_key

_WORD = re.compile(r"\w+")
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

    def counts(self, groups: Sequence[Sequence[str]]) -> list[int]:
        """For each group of terms the texts of the sample with any of them; 1 where only other texts have one, 0 where
        none has."""
        found = [len(self.having(*terms)) for terms in groups]
        if len(self.plain) == len(self.every) or all(found):
            return found
        waiting = {row: spellings(groups[row]) for row, count in enumerate(found) if not count}
        phrases = self._phrases({form for forms in waiting.values() for form in forms if " " in form})
        words = "\n".join({word for text in self.every for word in text.casefold().split()})
        for row, forms in waiting.items():
            found[row] = int(any(form in (phrases if " " in form else words) for form in forms))
        return found

    def _phrases(self, wanted: set[str]) -> set[str]:
        """Those that stand in any text; their last word may go on there, with a particle or a plural."""
        waiting: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
        for phrase in wanted:
            first, *rest = _WORD.findall(phrase) or [""]
            waiting[first].append((phrase, rest))
        found: set[str] = set()
        for text in self.every if wanted else ():
            words = _WORD.findall(text.casefold())
            for place, word in enumerate(words):
                for phrase, rest in waiting.get(word, ()):
                    there = words[place + 1 : place + 1 + len(rest)]
                    if there[:-1] == rest[:-1] and there[-1:] and there[-1].startswith(rest[-1]):
                        found.add(phrase)
        return found


def spellings(terms: Sequence[str]) -> set[str]:
    """The terms case-folded, with and without their spaces."""
    return {form for term in terms for form in (term.casefold(), korean_key(term)) if form}


def ground(candidates: Sequence[SynonymCandidate], texts: Sequence[str]) -> list[SynonymCandidate]:
    """Add the feature ``documents`` (see ``Texts.counts``), and an example to candidates without one."""
    lookup = Texts.of(texts)
    counts = lookup.counts([(candidate.ko, candidate.en) for candidate in candidates])
    return [_grounded(candidate, count, lookup) for candidate, count in zip(candidates, counts, strict=True)]


def _grounded(candidate: SynonymCandidate, count: int, texts: Texts) -> SynonymCandidate:
    terms = (candidate.ko, candidate.en)
    features = {**candidate.features, "documents": float(count)}
    found = [] if candidate.examples else texts.having(*terms)
    if not found:
        return candidate.model_copy(update={"features": features})
    example = _stretch(texts.plain[found[0]], texts.folded[found[0]], spellings(terms))
    return candidate.model_copy(update={"features": features, "examples": [example]})


def _stretch(text: str, folded: str, forms: set[str]) -> str:
    """The first form that occurs, with the text around it, on one line."""
    at = next(position for form in sorted(forms) if (position := folded.find(form)) >= 0)
    return " ".join(text[max(0, at - _EXAMPLE_CHARACTERS) : at + _EXAMPLE_CHARACTERS].split())
