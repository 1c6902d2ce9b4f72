"""The same query as people really type it: without particles, spaced otherwise, with a slip of the finger.

No model is asked, and the same query always gives the same variants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from kosparse.corpus.morphemes import Morpheme, morphemes
from kosparse.corpus.text import one_line
from kosparse.synthetic.writer import stable_number

_NOUN = ("NN", "SL", "SH", "SN", "XSN")
_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_KEYBOARD = ("ㅂㅈㄷㄱㅅ", "ㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎ", "ㅗㅓㅏㅣ", "ㅋㅌㅊㅍ", "ㅠㅜㅡ")
"""Runs of keys that lie side by side on the standard layout (KS X 5002), consonants and vowels apart."""
_FIRST, _PER_LEAD, _PER_VOWEL = ord("가"), 588, 28


def variants(query: str, kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Variants of a query that differ from it: (kind, text), in the order of the kinds.

    Args:
        query: The query.
        kinds: Of ``particles`` (left out), ``spacing`` (two nouns written as one, or one compound as two)
            and ``typo`` (a neighbouring key, or a final consonant forgotten).
    """
    found = [(kind, _KINDS[kind](query)) for kind in kinds]
    return [(kind, text) for kind, text in found if text and text != query]


def without_particles(query: str) -> str:
    """The query less the particles behind its nouns.

    >>> without_particles("셀을 보호하는 방법은?")
    '셀 보호하는 방법?'
    """
    tokens = morphemes(query)
    for before, token in reversed(list(pairwise(tokens))):
        if token.tag.startswith("J") and before.tag.startswith(_NOUN) and before.end == token.start:
            query = query[: token.start] + query[token.end :]
    return one_line(query)


def respaced(query: str) -> str:
    """The query with one blank between two nouns left out, else with one put into a compound; else as it is.

    >>> respaced("피벗 테이블 만들기"), respaced("피벗테이블을 만들기")
    ('피벗테이블 만들기', '피벗 테이블을 만들기')
    """
    seams = [(left, right) for left, right in pairwise(morphemes(query)) if _are_nouns(left, right)]
    apart = [(left, right) for left, right in seams if query[left.end : right.start] == " "]
    together = [(left, right) for left, right in seams if left.end == right.start and right.tag != "XSN"]
    if not apart and not together:
        return query
    chosen = apart or together
    left, right = chosen[stable_number("spacing", query) % len(chosen)]
    return query[: left.end] + ("" if apart else " ") + query[right.start :]


def _are_nouns(left: Morpheme, right: Morpheme) -> bool:
    return left.tag.startswith(_NOUN) and right.tag.startswith(_NOUN)


def mistyped(query: str) -> str:
    """The query with one slip in one syllable; as it is when it has no word of two syllables.

    >>> mistyped("글꼴") != "글꼴", mistyped("API")
    (True, 'API')
    """
    places = [at for at, (one, other) in enumerate(pairwise(query)) if _is_syllable(one) and _is_syllable(other)]
    if not places:
        return query
    number = stable_number("typo", query)
    at = places[number % len(places)]
    slips = _slips(query[at])
    return query[:at] + slips[number // len(places) % len(slips)] + query[at + 1 :]


def _is_syllable(character: str) -> bool:
    return "가" <= character <= "힣"


def _slips(syllable: str) -> list[str]:
    """The syllable with a neighbouring key hit for its first consonant or its vowel, or its final forgotten."""
    code = ord(syllable) - _FIRST
    lead, vowel, final = code // _PER_LEAD, code % _PER_LEAD // _PER_VOWEL, code % _PER_VOWEL
    found = [(_LEADS.index(key), vowel, final) for key in _beside(_LEADS[lead])]
    found += [(lead, _VOWELS.index(key), final) for key in _beside(_VOWELS[vowel])]
    if final or not found:
        found.append((lead, vowel, 0 if final else 1))
    return [chr(_FIRST + lead * _PER_LEAD + vowel * _PER_VOWEL + final) for lead, vowel, final in found]


def _beside(letter: str) -> list[str]:
    for keys in _KEYBOARD:
        at = keys.find(letter)
        if at >= 0:
            return [keys[near] for near in (at - 1, at + 1) if 0 <= near < len(keys)]
    return []


_KINDS: dict[str, Callable[[str], str]] = {"particles": without_particles, "spacing": respaced, "typo": mistyped}
