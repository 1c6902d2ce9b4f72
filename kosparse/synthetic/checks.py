"""Checks of one pair by itself, from its length to personal data. Each returns a reason, or ""."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kosparse.config import FilterPairsConfig
from kosparse.corpus.personal_data import personal_data
from kosparse.corpus.text import hangul_syllables
from kosparse.synthetic.scores import Scored

_KANA_OR_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_POINTER = r"(?:(?:이|위|위의|본|해당|다음|아래|주어진|제시된)\s*(?:문서|글|본문|지문|텍스트|내용|단락|자료)|본문|지문)"
_LEAK = re.compile(
    rf"{_POINTER}\s*(?:에\s*따르면|에서\s*(?:설명|언급|말하|말한|다루|소개|알려|제공|나오|나온|주장)"
    r"|에\s*(?:나온|나오는|언급|설명된|적힌)|의\s*(?:주제|제목|요지|핵심|요약|목적)|(?:은|는|이|가)\s*무엇(?:에|을|인))"
    r"|<<<|>>>|^(?:keyword|question|colloquial|claim|code_mixed|검색어|질문|답변?)\s*:"
    r"|(?:^|\s)(?:이|해당)\s?(?:섹션|절|메뉴|명령|대화\s?상자|기능|옵션|항목|탭|함수|예제|예시)",
)
"""Besides words for the text itself: "이 명령", "해당 메뉴", which mean something only to who has it before them."""
_ASKS = re.compile(
    r"어떻|어떤|어디|어느|언제|무엇|무슨|뭐|뭘|왜|몇|누가|누구|얼마|(?:까|나|가|니)요?\s*[?.]*$"
    r"|(?:알려|설명해|가르쳐|소개해)\s?(?:줘|주)"
)
_COMMANDS = re.compile(r"(?:세요|십시오|시오|해라|하라|합시다)\s*[?.!]*$")
_STATES = re.compile(r"니다\s*[.!]*$")


def length(scored: Scored, config: FilterPairsConfig) -> str:
    """``too_short`` or ``too_long``, in characters."""
    count = len(scored.pair.query)
    if count < config.min_characters:
        return "too_short"
    return "too_long" if count > config.max_characters else ""


def language(scored: Scored, config: FilterPairsConfig) -> str:
    """``foreign_script`` for kana or Han, ``not_korean`` for too few Hangul syllables.

    A rule, not a language model: on short, code-mixed queries the rule was right on 30 of 30 where
    language identifiers missed a quarter.
    """
    if _KANA_OR_HAN.search(scored.pair.query):
        return "foreign_script"
    return "" if hangul_syllables(scored.pair.query) >= config.min_hangul_syllables else "not_korean"


def leakage(scored: Scored, config: FilterPairsConfig) -> str:
    """``leakage`` when the query speaks of the passage it was written from, or of the prompt.

    "이 문서에 따르면" is one, "이 문서를 PDF로 저장" is not.
    """
    return "leakage" if _LEAK.search(scored.pair.query) else ""


def form(scored: Scored, config: FilterPairsConfig) -> str:
    """``statement`` or ``command`` for a query written as if it were the answer: nobody searches by "시트를 고르세요".

    "알려 주세요" asks. Claims are statements by intent, and what people really typed is left as it is.
    """
    query = scored.pair.query
    if scored.pair.query_type == "claim" or scored.pair.origin == "query_to_document" or _ASKS.search(query):
        return ""
    if _STATES.search(query):
        return "statement"
    return "command" if _COMMANDS.search(query) else ""


def copy(scored: Scored, config: FilterPairsConfig) -> str:
    """``copy`` when a long query stands in its passage nearly word for word, words put in or left out; a short one
    well may."""
    long_enough = len(scored.pair.query) > config.max_copy_characters
    in_one_piece = scored.scores["copy_share"] >= config.max_copy_share
    in_a_stretch = scored.scores["stretch_share"] >= config.max_stretch_share
    return "copy" if long_enough and (in_one_piece or in_a_stretch) else ""


def personal(scored: Scored, config: FilterPairsConfig) -> str:
    """``personal_data`` when the query holds a number or an address of a person."""
    return "personal_data" if config.personal_data and personal_data(scored.pair.query) else ""


def duplicate_key(scored: Scored, numbers: Sequence[str]) -> tuple[object, ...]:
    """Equal for queries that say the same with the same words.

    Content morphemes without their order, so that particles and endings do not count, and all numbers,
    so that "10행" and "20행" stay apart. A written passage is a new answer to its own query, not a
    repetition of it, and counts by itself.
    """
    own = scored.pair.passage_id if scored.pair.origin == "query_to_document" else ""
    words = tuple(sorted(set(scored.tokens))) or (scored.pair.query.casefold(),)
    return (words, tuple(numbers), own)
