"""Does a Korean word sound like an English one? Compared by consonants, which loan words keep.

Both sides are reduced to a skeleton of consonant classes: Korean tells neither l from r, f from p,
nor (reliably) voiced from voiceless, and spells English vowels in many ways.
"""

from __future__ import annotations

import re

_FIRST = "k k n t t l m p p s s - c c c k t p h".split()
"""The 19 initial jamo in Unicode order; ``-`` is the silent one."""
_LAST = "- k k k n n n t l k m p l l p l m p p t t n t t k t p t".split()
"""The 28 final jamo in Unicode order. Loan words spell a final t as ㅅ; ㅇ is ng."""

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
