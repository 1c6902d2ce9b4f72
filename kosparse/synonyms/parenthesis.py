"""Terms glossed in the running text: ``모델(model)`` and ``model(모델)``.

A naive pattern is right about 57 % of the time: it takes too much or too little on the left, and
labels and codes for terms. Boundaries here are Kiwi noun runs, made to agree over the whole
collection (Lin et al., Mining Parenthetical Translations from the Web by Word Alignment, ACL 2008).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kosparse.records import Reject, SynonymCandidate
from kosparse.synonyms import phrases
from kosparse.synonyms.terms import english_key, korean_key, problem, tidy, tidy_english

_KOREAN_FIRST = re.compile(r"(?P<left>[가-힣][가-힣 ]{0,40}) ?[(（](?P<inside>[A-Za-z][A-Za-z .'&/\-0-9]{0,60})[)）]")
_ENGLISH_WORD = r"[A-Za-z][A-Za-z0-9.'&/\-]*"
_ENGLISH_FIRST = re.compile(
    rf"(?P<left>{_ENGLISH_WORD}(?: {_ENGLISH_WORD}){{0,6}}) ?[(（](?P<inside>[가-힣][가-힣 ]{{0,30}})[)）]"
)
_MAX_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 60
"""Kept on either side of a match."""
_AGREEMENT = 0.5
"""A longer left boundary is kept when it holds for this share of the occurrences of a shorter one."""


@dataclass(frozen=True)
class Gloss:
    """One occurrence: the possible Korean terms, longest first, and the English one."""

    korean: tuple[str, ...]
    english: str
    example: str


def mine_parentheses(texts: Sequence[str], min_count: int = 1) -> tuple[list[SynonymCandidate], list[Reject]]:
    """Collect glossed terms in both orders.

    Args:
        texts: Documents, any length.
        min_count: Pairs glossed fewer times than this are rejected. At least 1.

    Returns:
        Candidates with ``source="parenthesis"``, most frequent first, and what was left out with reasons.
    """
    glosses = [*_korean_first(texts), *_english_first(texts)]
    support = Counter((korean_key(ko), english_key(g.english)) for g in glosses for ko in set(g.korean))
    found: dict[tuple[str, str], list[tuple[str, Gloss]]] = defaultdict(list)
    rejects: list[Reject] = []
    for gloss in glosses:
        ko = _boundary(gloss, support)
        if reason := problem(ko, gloss.english) if ko else "no_noun_phrase":
            rejects.append(_reject(reason, ko, gloss))
        else:
            found[korean_key(ko), english_key(gloss.english)].append((ko, gloss))
    kept = {key: seen for key, seen in found.items() if len(seen) >= min_count}
    rejects += [_reject("rare", *seen[0]) for key, seen in found.items() if key not in kept]
    candidates = [_candidate(seen) for seen in kept.values()]
    return sorted(candidates, key=lambda c: (-c.count, c.ko, c.en)), rejects


def _korean_first(texts: Sequence[str]) -> Iterable[Gloss]:
    matches = [(text, match) for text in texts for match in _KOREAN_FIRST.finditer(text)]
    lefts = [match["left"].rstrip() for _, match in matches]
    for (text, match), left, runs in zip(matches, lefts, phrases.noun_runs(lefts), strict=True):
        ending = [run for run in runs if run.end == len(left)]
        korean = tuple(tidy(suffix) for run in ending for suffix in run.suffixes(left))
        yield Gloss(korean, tidy_english(match["inside"]), _example(text, match))


def _english_first(texts: Sequence[str]) -> Iterable[Gloss]:
    matches = [(text, match) for text in texts for match in _ENGLISH_FIRST.finditer(text)]
    inside = [tidy(match["inside"]) for _, match in matches]
    for (text, match), korean, whole in zip(matches, inside, phrases.is_noun_phrase(inside), strict=True):
        yield Gloss((korean,) if whole else (), tidy_english(match["left"]), _example(text, match))


def _boundary(gloss: Gloss, support: Counter[tuple[str, str]]) -> str:
    """The longest ending of the noun run that most occurrences of this gloss agree on."""
    counts = [support[korean_key(ko), english_key(gloss.english)] for ko in gloss.korean]
    if not counts:
        return ""
    return next(ko for ko, count in zip(gloss.korean, counts, strict=True) if count >= _AGREEMENT * max(counts))


def _candidate(seen: list[tuple[str, Gloss]]) -> SynonymCandidate:
    ko = Counter(ko for ko, _ in seen).most_common(1)[0][0]
    en = Counter(gloss.english for _, gloss in seen).most_common(1)[0][0]
    examples = list(dict.fromkeys(gloss.example for _, gloss in seen))[:_MAX_EXAMPLES]
    features = {"parenthesis": float(len(seen))}
    return SynonymCandidate(ko=ko, en=en, source="parenthesis", count=len(seen), examples=examples, features=features)


def _reject(reason: str, ko: str, gloss: Gloss) -> Reject:
    row = {"ko": ko, "en": gloss.english}
    return Reject(stage="mine_synonyms", reason=reason, detail=gloss.example, row=row)


def _example(text: str, match: re.Match[str]) -> str:
    """The match with a little text around it, on one line."""
    stretch = text[max(0, match.start() - _EXAMPLE_CHARACTERS) : match.end() + _EXAMPLE_CHARACTERS]
    return " ".join(stretch.split())
