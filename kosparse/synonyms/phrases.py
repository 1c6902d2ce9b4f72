"""Korean noun phrases with their positions, and English words, of running text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee

from kosparse.corpus.morphemes import Morpheme, morphemes_of
from kosparse.synonyms.terms import is_function_word, singular

_NOUN_TAGS = frozenset({"NNG", "NNP", "XPN", "XSN", "XR"})
_HEAD_TAGS = _NOUN_TAGS - {"XPN", "XR"} | {"NNB"}
_MAY_FOLLOW = ("J", "XSV", "XSA", "VCP", "S", "E", "W")
"""Tags that may follow a noun without a space; after any other the noun was only the start of a word."""
_PHRASE_TAGS = _NOUN_TAGS | frozenset("NNB NR MM MAG VV VA VX XSV XSA EP EC ETM ETN".split())
_LETTER = "A-Za-zÀ-ÖØ-öø-ÿ"
_WORD = re.compile(rf"[{_LETTER}][{_LETTER}\-]*[{_LETTER}]|[{_LETTER}]")


@dataclass(frozen=True)
class NounRun:
    """Nouns that follow each other, at most a space apart: ``피벗 테이블``."""

    start: int
    end: int
    """Character offsets in the text, end exclusive."""
    cuts: tuple[int, ...]
    """Start offset of each noun in it: where a shorter term could begin."""

    def suffixes(self, text: str) -> list[str]:
        """The run and its shorter endings, longest first."""
        return [text[cut : self.end] for cut in self.cuts]

    def prefixes(self, text: str) -> list[str]:
        """The run and its shorter beginnings, longest first."""
        return [text[self.start : end].rstrip() for end in (self.end, *reversed(self.cuts[1:]))]


def noun_runs(texts: Iterable[str]) -> Iterator[list[NounRun]]:
    """The noun runs of each text, in order, lazily."""
    cut, read = tee(texts)
    return (_runs(found, text) for found, text in zip(morphemes_of(cut), read, strict=True))


def is_noun_phrase(texts: Sequence[str]) -> list[bool]:
    """Whether each text is one noun phrase: nothing but a noun, or verb made a noun, and its modifiers."""
    return [_is_phrase(tokens) for tokens in morphemes_of(texts)]


def _runs(tokens: Sequence[Morpheme], text: str) -> list[NounRun]:
    runs: list[NounRun] = []
    current: list[Morpheme] = []
    for token in tokens:
        joined = bool(current) and token.start == current[-1].end
        if current and not (_continues(token, joined) and (joined or text[current[-1].end : token.start] == " ")):
            runs += _close(current, cut_off=joined and not token.tag.startswith(_MAY_FOLLOW))
            current = []
        if token.tag in _NOUN_TAGS or current:
            current.append(token)
    return runs + _close(current)


def _continues(token: Morpheme, joined: bool) -> bool:
    """Nouns do; a dependent noun only when written together with the noun before it (글꼴: 글 + 꼴)."""
    return token.tag in _NOUN_TAGS or (joined and token.tag == "NNB")


def _close(tokens: list[Morpheme], cut_off: bool = False) -> list[NounRun]:
    """One run, or none: it may not begin with a suffix, end with a prefix, or end inside a word."""
    tokens = tokens[:-1] if cut_off else tokens
    while tokens and tokens[0].tag == "XSN":
        tokens = tokens[1:]
    while tokens and tokens[-1].tag not in _HEAD_TAGS:
        tokens = tokens[:-1]
    if not tokens:
        return []
    cuts = tuple(
        token.start
        for before, token in zip([None, *tokens], tokens, strict=False)
        if token.tag not in {"XSN", "NNB"} and (before is None or before.tag != "XPN")
    )
    return [NounRun(tokens[0].start, tokens[-1].end, cuts)]


def _is_phrase(tokens: Sequence[Morpheme]) -> bool:
    """Ends in a noun or a verb made one (찾기); before it nouns and what modifies them (틀린 단어), no particles."""
    tags = [token.tag for token in tokens]
    return bool(tags) and tags[-1] in _HEAD_TAGS | {"ETN"} and all(tag in _PHRASE_TAGS for tag in tags)


def english_words(text: str) -> list[str]:
    """Lower-case words in singular form, function words kept as ``""`` so that bigrams do not jump them.

    >>> english_words("Insert the pivot tables")
    ['insert', '', 'pivot', 'table']
    """
    words = (word.lower() for word in _WORD.findall(text))
    return ["" if len(word) < 2 or is_function_word(word) else singular(word) for word in words]


def english_terms(text: str) -> set[str]:
    """Content words and bigrams of content words, singular."""
    words = english_words(text)
    bigrams = {f"{a} {b}" for a, b in zip(words, words[1:], strict=False) if a and b}
    return {word for word in words if word} | bigrams


def korean_terms(runs: Sequence[NounRun], text: str, longest: int = 3) -> dict[str, int]:
    """Every stretch of up to ``longest`` nouns within the runs, with its number of nouns.

    Single syllables count only when they are a whole run (셀, but not the 식 of 정규식).
    """
    found: dict[str, int] = {}
    for run in runs:
        edges = [*run.cuts, run.end]
        for i, start in enumerate(run.cuts):
            for nouns, end in enumerate(edges[i + 1 : i + 1 + longest], 1):
                term = text[start:end].strip()
                if len(term) > 1 or len(run.cuts) == 1:
                    found[term] = nouns
    return found


def noun_counts(terms: Sequence[str]) -> list[int]:
    """How many nouns each Korean term is made of, at least 1."""
    return [max(1, sum(len(run.cuts) for run in runs)) for runs in noun_runs(terms)]
