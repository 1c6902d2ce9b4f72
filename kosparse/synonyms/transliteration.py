"""Does a Korean word sound like an English one? Compared by consonants, which loan words keep, and by spelling.

Both sides are reduced to a skeleton of consonant classes: Korean tells neither l from r, f from p,
nor (reliably) voiced from voiceless, and spells English vowels in many ways. What the skeleton leaves open
the romanised spelling decides (Revised Romanization, letter by letter).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from kosparse.records import SynonymCandidate

_FIRST = "k k n t t l m p p s s - c c c k t p h".split()
"""The 19 initial jamo in Unicode order; ``-`` is the silent one."""
_LAST = "- k k k n n n t l k m p l l p l m p p t t n t t k t p t".split()
"""The 28 final jamo in Unicode order. Loan words spell a final t as ㅅ; ㅇ is ng."""

_FIRST_LETTERS = "g kk n d tt r m b pp s ss - j jj ch k t p h".split()
_VOWELS = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i".split()
_LAST_LETTERS = "- k k k n n n t l k m l l l p l m p p t t ng t t k t p t".split()
_MIN_CLASSES = 2
"""Consonants a mined transliteration must share: fewer are shared by chance."""
_MIN_SIMILARITY = 0.5
"""Of the romanised spelling; 컴퓨터 (keompyuteo) and computer have .67."""

_ENGLISH_RULES = [
    (r"tion|sion|cian", "sn"),
    (r"tch|ch", "c"),
    (r"sch|sh", "s"),
    (r"ph", "p"),
    (r"th", "s"),
    (r"wh", "w"),
    (r"gh", ""),
    (r"ck|cc(?![eiy])", "k"),
    (r"([bdfglmnprst])\1", r"\1"),
    (r"c(?=[eiy])", "s"),
    (r"dge|dg|g(?=e|i[^nfv]|y)", "c"),
    (r"ng(?![aeiou])", "n"),
    (r"x", "ks"),
    (r"r(?![aeiouy])", ""),
    (r"kn", "n"),
    (r"[bfv]", "p"),
    (r"[cgq]", "k"),
    (r"[jz]", "c"),
    (r"d", "t"),
    (r"r", "l"),
]


def korean_skeleton(term: str) -> str:
    """Consonant classes of a Hangul term.

    >>> korean_skeleton("데이터베이스")
    'ttps'
    """
    classes = []
    for character in term:
        code = ord(character) - 0xAC00
        if 0 <= code < 11172:
            classes += [_FIRST[code // 588], _LAST[code % 28]]
    return _squeeze("".join(classes).replace("-", ""))


def english_skeleton(term: str) -> str:
    """Consonant classes of an English term, by spelling rules.

    >>> english_skeleton("database")
    'ttps'
    """
    text = re.sub(r"[^a-z]", "", term.lower())
    for pattern, classes in _ENGLISH_RULES:
        # Upper case marks what is done, so that a later rule does not rewrite it.
        text = re.sub(pattern, classes if "\\" in classes else classes.upper(), text)
    return _squeeze(re.sub(r"[aeiouyw]", "", text.lower()))


def _squeeze(skeleton: str) -> str:
    """``ll`` is one l (컬럼), but keep other doubles apart: vowels stood between them."""
    return re.sub(r"l+", "l", skeleton)


def transliteration_score(ko: str, en: str) -> float:
    """Similarity of the two skeletons, 0 to 1; halved when one is a single consonant, which proves little.

    >>> transliteration_score("매크로", "macro"), transliteration_score("글꼴", "font")
    (1.0, 0.0)
    """
    left, right = korean_skeleton(ko), english_skeleton(en)
    if not left or not right:
        return 0.0
    score = 1.0 - _distance(left, right) / max(len(left), len(right))
    return score / 2 if min(len(left), len(right)) < 2 else score


def _distance(left: str, right: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def romanised(term: str) -> str:
    """Revised Romanization of a Hangul term, syllable by syllable; other characters are left out.

    >>> romanised("매크로")
    'maekeuro'
    """
    letters = []
    for character in term:
        code = ord(character) - 0xAC00
        if 0 <= code < 11172:
            letters += [_FIRST_LETTERS[code // 588], _VOWELS[code % 588 // 28], _LAST_LETTERS[code % 28]]
    return "".join(letters).replace("-", "")


def spelling_similarity(ko: str, en: str) -> float:
    """Share of letters that the romanised Korean and the English spelling have in common, in order: 0 to 1."""
    return SequenceMatcher(None, romanised(ko), re.sub(r"[^a-z]", "", en.lower()), autojunk=False).ratio()


def mine_transliterations(
    korean: Iterable[tuple[str, int]], english: Iterable[tuple[str, int]]
) -> list[SynonymCandidate]:
    """Terms of the collection that sound alike: equal skeletons, and each other's nearest spelling.

    Only terms with one skeleton are compared, so that long lists take little more than linear time.

    Args:
        korean: ``(term, count)``.
        english: Likewise.

    Returns:
        Candidates with ``source="transliteration"``, surest first, with the feature ``spelling``.
    """
    spellings: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for term, count in english:
        spellings[english_skeleton(term)].append((term, count))
    sounds: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for term, count in korean:
        if len(skeleton := korean_skeleton(term)) >= _MIN_CLASSES:
            sounds[skeleton].append((term, count))
    found = [
        candidate
        for skeleton in sorted(sounds.keys() & spellings.keys())
        for candidate in _alike(sounds[skeleton], spellings[skeleton])
    ]
    return sorted(found, key=lambda c: (-c.features["spelling"], c.ko, c.en))


def _alike(korean: Sequence[tuple[str, int]], english: Sequence[tuple[str, int]]) -> list[SynonymCandidate]:
    """Within one skeleton: pairs that are each other's best, and good enough."""
    similarity = [[spelling_similarity(ko, en) for en, _ in english] for ko, _ in korean]
    best_of_english = [max(column) for column in zip(*similarity, strict=True)]
    return [
        SynonymCandidate(
            ko=ko, en=en, source="transliteration", count=min(often, count), features={"spelling": round(value, 4)}
        )
        for (ko, often), row in zip(korean, similarity, strict=True)
        for (en, count), value, best in zip(english, row, best_of_english, strict=True)
        if value >= _MIN_SIMILARITY and value == max(row) == best
    ]
