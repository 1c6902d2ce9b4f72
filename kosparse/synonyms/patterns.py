"""Terms glossed in the running text: ``모델(model)``, ``model[모델]``, ``모델/model``, ``AI라고 하는 인공지능`` ...

A naive pattern is right about 57 % of the time: it takes too much or too little beside the gloss, and
labels and codes for terms. Boundaries here are Kiwi noun runs and whole English words, made to agree over
the whole collection (Lin et al., Mining Parenthetical Translations from the Web by Word Alignment, ACL
2008). Abbreviations are told from translations (Wu et al., NAACL 2009, treat each kind apart).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kosparse.records import Reject, SynonymCandidate
from kosparse.synonyms import phrases
from kosparse.synonyms.terms import abbreviates, is_acronym, pair_key, problem, tidy, tidy_english

_BRACKETS = re.compile(r"[(（\[〔](?P<right>[^()（）\[\]〔〕<>\n]{1,80})[)）\]〕]|<sup>(?P<raised>[^<\n]{1,80})</sup>")
_LINKS = re.compile(
    r"(?:, ?| )(?:즉|이른바|일명|약칭|줄여서),? |"  # 인공지능, 즉 AI
    r"['\"”’]?이?라고 (?:하는|부르는|불리는) |"  # AI라고 하는 인공지능
    r" ?/ ?"  # 모델/model
)
_LEAD = re.compile(r"^(?:영어|영문|약칭|약어|줄임말|줄여서|이하|일명|이른바|즉)(?:로는?|으로는?)?\s*[:：]?\s*")
"""What may stand before the gloss inside brackets: ``세계무역기구(약칭 WTO)``."""
_QUOTES = "'\"“”‘’「」『』 "
_WORD = r"[A-Za-z][A-Za-z0-9.'&\-]*"
_KOREAN_TAIL, _KOREAN_HEAD = re.compile(r"[가-힣][가-힣 ]*$"), re.compile(r"[가-힣][가-힣 ]*")
_ENGLISH_TAIL, _ENGLISH_HEAD = re.compile(rf"(?:{_WORD} )*{_WORD}$"), re.compile(rf"{_WORD}(?: {_WORD})*")
_REACH = 40
"""Characters beside a gloss in which its other side is looked for."""
_MAX_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 60
"""Kept on either side of a match."""
_AGREEMENT = 0.5
"""A longer term is kept when it holds for this share of the occurrences of a shorter one."""


@dataclass(frozen=True)
class Gloss:
    """One occurrence: the possible terms of either side, longest first."""

    korean: tuple[str, ...]
    english: tuple[str, ...]
    example: str


@dataclass(frozen=True)
class _Site:
    """Where two scripts meet: what stands before and after, and whether a bracket bounds the second."""

    left: str
    right: str
    bounded: bool
    example: str

    @property
    def korean_first(self) -> bool:
        return bool(re.match("[A-Za-z]", self.right))


def mine_patterns(texts: Sequence[str], min_count: int = 1) -> tuple[list[SynonymCandidate], list[Reject]]:
    """Collect glossed terms in both orders.

    The forms are ``A(B)``, ``A[B]``, ``A<sup>B</sup>``, ``A(약칭 B)``, ``A(B, abbreviation)``, ``A, 즉 B`` (also
    이른바, 일명, 약칭, 줄여서), ``A라고 하는 B`` and ``A/B``.

    Args:
        texts: Documents, any length.
        min_count: Pairs glossed fewer times than this are rejected. At least 1.

    Returns:
        Candidates with ``source="pattern"``, most frequent first, with features ``pattern`` (occurrences) and
        ``initials`` (1 for an abbreviation of an English term glossed for the same Korean one); and what was
        left out with reasons.
    """
    sites = [site for text in texts for site in _sites(text)]
    glosses = [*_korean_first(sites), *_english_first(sites)]
    support = Counter(key for gloss in glosses for key in _keys(gloss))
    found: dict[tuple[str, str], list[tuple[str, str, Gloss]]] = defaultdict(list)
    rejects: list[Reject] = []
    for gloss in glosses:
        ko, en = _boundary(gloss, support)
        if reason := problem(ko, en) if ko and en else ("no_noun_phrase" if en else "enumeration"):
            rejects.append(_reject(reason, ko, en, gloss))
        else:
            found[pair_key(ko, en)].append((ko, en, gloss))
    kept = {key: seen for key, seen in found.items() if len(seen) >= min_count}
    rejects += [_reject("rare", *seen[0]) for key, seen in found.items() if key not in kept]
    full: dict[str, set[str]] = defaultdict(set)
    for (korean, _), seen in kept.items():
        full[korean] |= {en for _, en, _ in seen if not is_acronym(en)}
    candidates = [_candidate(seen, full[korean]) for (korean, _), seen in kept.items()]
    return sorted(candidates, key=lambda c: (-c.count, c.ko, c.en)), rejects


def _sites(text: str) -> Iterator[_Site]:
    """Brackets, links and slashes with Korean on one side and English on the other."""
    for match in _BRACKETS.finditer(text):
        inside = _LEAD.sub("", (match["right"] or match["raised"]).strip(_QUOTES)).strip(_QUOTES)
        yield from _meeting(text, match, inside, bounded=True)
    for match in _LINKS.finditer(text):
        after = text[match.end() : match.end() + _REACH].lstrip(_QUOTES)
        before = text[max(0, match.start() - _REACH) : match.start()]
        if "/" not in match[0] or not ("/" in before[-_REACH // 2 :] or "/" in after[: _REACH // 2]):  # no paths
            yield from _meeting(text, match, after, bounded=False)


def _meeting(text: str, match: re.Match[str], right: str, bounded: bool) -> Iterator[_Site]:
    left = text[max(0, match.start() - _REACH) : match.start()].rstrip(_QUOTES)
    if not left or not right:
        return
    korean_left, korean_right = "가" <= left[-1] <= "힣", "가" <= right[0] <= "힣"
    english_left, english_right = left[-1].isascii() and left[-1].isalnum(), right[0].isascii() and right[0].isalpha()
    if (korean_left and english_right) or (english_left and korean_right):
        stretch = text[max(0, match.start() - _EXAMPLE_CHARACTERS) : match.end() + _EXAMPLE_CHARACTERS]
        yield _Site(left, right, bounded, " ".join(stretch.split()))


def _korean_first(sites: Sequence[_Site]) -> Iterable[Gloss]:
    sites = [site for site in sites if site.korean_first]
    lefts = [_found(_KOREAN_TAIL.search(site.left)) for site in sites]
    for site, left, runs in zip(sites, lefts, phrases.noun_runs(lefts), strict=True):
        korean = tuple(tidy(suffix) for run in runs if run.end == len(left) for suffix in run.suffixes(left))
        for english in _pieces(site.right) if site.bounded else [_prefixes(_found(_ENGLISH_HEAD.match(site.right)))]:
            yield Gloss(korean, english, site.example)


def _english_first(sites: Sequence[_Site]) -> Iterable[Gloss]:
    sites = [site for site in sites if not site.korean_first]
    rights = [site.right if site.bounded else _found(_KOREAN_HEAD.match(site.right)) for site in sites]
    whole = phrases.is_noun_phrase([tidy(right) for right in rights])
    for site, right, runs, is_phrase in zip(sites, rights, phrases.noun_runs(rights), whole, strict=True):
        words = _found(_ENGLISH_TAIL.search(site.left)).split()
        english = tuple(tidy_english(" ".join(words[i:])) for i in range(len(words)))
        whole_gloss = [tidy(right)] if is_phrase else []
        beginnings = [tidy(term) for run in runs if run.start == 0 for term in run.prefixes(right)]
        yield Gloss(tuple(whole_gloss if site.bounded else beginnings), english, site.example)


def _found(match: re.Match[str] | None) -> str:
    return match[0] if match else ""


def _prefixes(text: str) -> tuple[str, ...]:
    words = text.split()
    return tuple(tidy_english(" ".join(words[:end])) for end in range(len(words), 0, -1))


def _pieces(inside: str) -> list[tuple[str, ...]]:
    """``database management system, DBMS`` is two glosses; other lists are arguments or examples, no gloss."""
    pieces = [tidy_english(piece) for piece in re.split(r"[,;]| 또는 ", inside)]
    if len(pieces) == 1:
        return [(pieces[0],)]
    full = {other for piece in pieces for other in pieces if abbreviates(piece, other)}
    return [(piece,) if full & {piece, *(f for f in full if abbreviates(piece, f))} else () for piece in pieces]


def _keys(gloss: Gloss) -> set[tuple[str, str]]:
    return {pair_key(ko, en) for ko in gloss.korean for en in gloss.english}


def _boundary(gloss: Gloss, support: Counter[tuple[str, str]]) -> tuple[str, str]:
    """The longest terms that most occurrences of this gloss agree on; empty where a side has none."""
    if not gloss.korean or not gloss.english:
        return (gloss.korean or ("",))[0], (gloss.english or ("",))[0]
    pairs = [(ko, en) for ko in gloss.korean for en in gloss.english]
    counts = [support[pair_key(*pair)] for pair in pairs]
    return next(pair for pair, count in zip(pairs, counts, strict=True) if count >= _AGREEMENT * max(counts))


def _candidate(seen: Sequence[tuple[str, str, Gloss]], full: Iterable[str]) -> SynonymCandidate:
    ko = Counter(ko for ko, _, _ in seen).most_common(1)[0][0]
    en = Counter(en for _, en, _ in seen).most_common(1)[0][0]
    features = {"pattern": float(len(seen))}
    if any(abbreviates(en, term) for term in full):
        features["initials"] = 1.0
    examples = list(dict.fromkeys(gloss.example for _, _, gloss in seen))[:_MAX_EXAMPLES]
    return SynonymCandidate(ko=ko, en=en, source="pattern", count=len(seen), examples=examples, features=features)


def _reject(reason: str, ko: str, en: str, gloss: Gloss) -> Reject:
    return Reject(stage="mine_synonyms", reason=reason, detail=gloss.example, row={"ko": ko, "en": en})
