"""Korean particles change with the sound before them: 모델을 but 파일 이름을, 셀로 but 문서로, API를 but 모델을.

When a term is replaced, the particle behind it has to follow.
"""

from __future__ import annotations

import re

_PAIRS = {"은": "는", "이": "가", "을": "를", "과": "와", "으로": "로", "이랑": "랑", "이나": "나", "이란": "란"}
"""After a final consonant: after a vowel."""
_AFTER_CONSONANT = {**{form: form for form in _PAIRS}, **{vowel: form for form, vowel in _PAIRS.items()}}
_RIEUL = 8
"""Index of the final consonant ㄹ, after which 으로 is 로."""
_DIGIT_FINALS = dict(zip("0123456789", (21, _RIEUL, 0, 16, 0, 0, 1, _RIEUL, _RIEUL, 0), strict=True))
"""영 일 이 삼 사 오 육 칠 팔 구."""
_LETTER_FINALS = {"l": _RIEUL, "m": 16, "n": 4, "r": _RIEUL}
"""엘 엠 엔 알; all other letter names end in a vowel."""
_SHORT_STOP = re.compile(r"(?:^|[^aeiou])[aeiou](?:p|t|k|ck|b|c)$")


def follow(term: str, particle: str) -> str:
    """The form of a particle after ``term``; a particle that does not change comes back as it is.

    >>> [follow(term, "을") for term in ("셀", "문서", "cell", "API")]
    ['을', '를', '을', '를']
    >>> follow("셀", "으로"), follow("창", "로")
    ('로', '으로')
    """
    base = _AFTER_CONSONANT.get(particle)
    if base is None:
        return particle
    final = final_consonant(term)
    if final == 0 or (base == "으로" and final == _RIEUL):
        return _PAIRS[base]
    return base


def final_consonant(term: str) -> int:
    """Index (0 to 27) of the final consonant of a term's last syllable as spoken; 0 is none.

    Exact for Hangul and digits. For Latin script it is a rule of thumb about how Korean speakers read
    the word: capitals letter by letter, else by its last letters.
    """
    last = next((character for character in reversed(term) if character.isalnum()), "")
    if "가" <= last <= "힣":
        return (ord(last) - ord("가")) % 28
    if last in _DIGIT_FINALS:
        return _DIGIT_FINALS[last]
    word = re.split(r"[^A-Za-z]+", term.rstrip(")]} "))[-1]
    return _LETTER_FINALS.get(last.lower(), 0) if word.isupper() else _latin_final(word.lower())


def _latin_final(word: str) -> int:
    if word.endswith(("l", "le")):
        return _RIEUL
    if word.endswith(("m", "n", "ng")) or word.endswith(("me", "ne")):
        return 4
    return 1 if _SHORT_STOP.search(word) else 0
