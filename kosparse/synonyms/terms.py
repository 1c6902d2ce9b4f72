"""What counts as a term, how it is written, and when two spellings are one term."""

from __future__ import annotations

import re
import unicodedata

MAX_WORDS = 4
MAX_CHARACTERS = 40
_PARTICLES = frozenset(
    "이 가 은 는 을 를 의 에 로 과 와 도 만 으 으로 이나 나 라 이라 에서 에게 까지 부터 하다 하여".split()
)
_EDGE = " \t\"'“”‘’`~:;,.…·*<>«»|/\\-–—_"
_KOREAN_TERM = re.compile(r"[가-힣0-9][가-힣0-9 ·/\-]*")
_ENGLISH_TERM = re.compile(r"[A-Za-z][A-Za-zÀ-ÖØ-öø-ÿ0-9 './+&\-]*")
_LATIN, _HANGUL, _DIGIT = re.compile(r"[A-Za-z]"), re.compile(r"[가-힣]"), re.compile(r"\d")
_IDENTIFIER = re.compile(r"[a-z][A-Z]|[A-Z]{2,}[a-z]{2,}|[A-Z]{7,}|\.[A-Za-z]|_|/")
_SENTENCE = re.compile(r"(니다|세요|시오|어요|아요|이다|한다|된다)$")
_ARTICLE = re.compile(r"^(the|a|an|to)\s+(?=\S)", re.IGNORECASE)
_FUNCTION_WORDS = frozenset(
    "a an and any are as at be but by can do each for from has have if in into is it its more no not of off on only "
    "or other out over see so some such than that the their them then these this those to under up use used using "
    "was when where which while will with you your also all one two following".split()
)


def tidy(text: str) -> str:
    """NFC, control and format characters out, white space single, quotes and punctuation off the ends.

    >>> tidy(' “피벗\\u200b  테이블”: ')
    '피벗 테이블'
    """
    text = "".join(" " if c in "\t\n\r" else c for c in text if c in "\t\n\r" or unicodedata.category(c)[0] != "C")
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip(_EDGE)


def tidy_english(text: str) -> str:
    """``tidy``, without a leading article, in lower case unless it is an acronym.

    >>> tidy_english("The Pivot Table"), tidy_english("DBMS")
    ('pivot table', 'DBMS')
    """
    text = _ARTICLE.sub("", tidy(text))
    return text if is_acronym(text) or _IDENTIFIER.search(text) else text.lower()


def is_acronym(term: str) -> bool:
    """Two to six capital letters."""
    return bool(re.fullmatch(r"[A-Z]{2,6}", term))


def abbreviates(acronym: str, term: str) -> bool:
    """Whether an acronym is spelled by a term's words in order, each giving its initial and perhaps more.

    >>> abbreviates("DBMS", "database management system"), abbreviates("BOM", "bill of materials")
    (True, True)
    >>> abbreviates("WTO", "word processor")
    False
    """
    words = re.findall(r"[a-z]+", term.lower())
    return is_acronym(acronym) and len(words) > 1 and _spells(acronym.lower(), words)


def _spells(letters: str, words: list[str]) -> bool:
    if not words:
        return not letters
    word, rest = words[0], words[1:]
    if word in _FUNCTION_WORDS and _spells(letters, rest):
        return True
    at = -1
    for used, letter in enumerate(letters):
        at = word.find(letter, at + 1)
        if at < 0 or (used == 0 and at > 0):
            return False
        if _spells(letters[used + 1 :], rest):
            return True
    return False


def korean_problem(term: str) -> str:
    """Why this cannot be a Korean dictionary term, as a reject reason; empty when it can."""
    if not _HANGUL.search(term):
        return "not_korean"
    if _LATIN.search(term):
        return "mixed_script"
    if not _KOREAN_TERM.fullmatch(term):
        return "not_a_term"
    if term in _PARTICLES:
        return "particle"
    if _DIGIT.search(term):
        return "code"
    if _SENTENCE.search(term):
        return "sentence"
    return "too_long" if len(term) > MAX_CHARACTERS or len(term.split()) > MAX_WORDS else ""


def english_problem(term: str) -> str:
    """Why this cannot be an English dictionary term, as a reject reason; empty when it can.

    Labels, versions and identifiers (``V26``, ``KDConfig``, ``file.txt``, ``on/off``) are ``code``.
    """
    if not _LATIN.search(term):
        return "not_english"
    if _HANGUL.search(term):
        return "mixed_script"
    if not _ENGLISH_TERM.fullmatch(term):
        return "not_a_term"
    if _DIGIT.search(term) or _IDENTIFIER.search(term):
        return "code"
    words = term.lower().split()
    if len(term) < 2 or all(word in _FUNCTION_WORDS for word in words):
        return "too_short"
    if words[-1] in _FUNCTION_WORDS:
        return "not_a_term"
    return "too_long" if len(term) > MAX_CHARACTERS or len(words) > MAX_WORDS else ""


def problem(ko: str, en: str) -> str:
    """The first problem of a pair, prefixed by its side: ``ko_particle``, ``en_code``; empty when fine."""
    if reason := korean_problem(ko):
        return f"ko_{reason}"
    reason = english_problem(en)
    return f"en_{reason}" if reason else ""


def is_function_word(word: str) -> bool:
    """True for English articles, prepositions, pronouns and the like (lower case)."""
    return word in _FUNCTION_WORDS


def is_searchable(term: str) -> bool:
    """Whether an analyzer leaves anything of it: OpenSearch refuses a whole file for one term of signs or emoji."""
    return any(character.isalnum() for character in term)


def singular(word: str) -> str:
    """An English noun without its plural ending, by rule; other words mostly unchanged.

    >>> [singular(w) for w in ("cells", "queries", "boxes", "class", "status")]
    ['cell', 'query', 'box', 'class', 'status']
    """
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    if word == "menus" or len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def korean_key(term: str) -> str:
    """Two Korean spellings with one key are one term: spacing and hyphens do not matter."""
    return re.sub(r"[\s\-·/]", "", unicodedata.normalize("NFC", term)).casefold()


def english_key(term: str) -> str:
    """Two English spellings with one key are one term: case, hyphens and a final plural do not matter."""
    words = re.sub(r"[\-/]", " ", unicodedata.normalize("NFC", term).casefold()).split()
    return " ".join([*words[:-1], singular(words[-1])]) if words else ""


def pair_key(ko: str, en: str) -> tuple[str, str]:
    """Identity of a pair across sources."""
    return korean_key(ko), english_key(en)
