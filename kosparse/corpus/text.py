"""Small questions about a piece of text, answered alike everywhere."""

from __future__ import annotations

import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_INVISIBLE = re.compile(r"[\ufeff\u200b\u2060\u00ad\ufffe\uffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SYLLABLE = re.compile(r"[가-힣]")
_LETTER = re.compile(r"[^\W\d_]")
_NON_WORD = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """NFC, line ends as ``\\n``, control and invisible characters out, no blanks at either end.

    Decomposed Hangul (as in file names from macOS) becomes syllables.

    >>> normalise("\\u1112\\u1161\\u11ab\\u1100\\u1173\\u11af\\x07\\r\\n")
    '한글'
    """
    text = _INVISIBLE.sub("", _CONTROL.sub("", _LINE_ENDS.sub("\n", text)))
    return unicodedata.normalize("NFC", text).strip()


def has_control_characters(text: str) -> bool:
    """Whether a text holds what no text should: NUL, other control characters, half a surrogate pair.

    Tabs, line ends, vertical tabs and form feeds are fine.
    """
    return bool(_CONTROL.search(_LINE_ENDS.sub("", text)) or _SURROGATE.search(text))


def one_line(text: str) -> str:
    """Every run of white space as one blank."""
    return " ".join(text.split())


def hangul_syllables(text: str) -> int:
    """How many Hangul syllables there are."""
    return len(_SYLLABLE.findall(text))


def hangul_share(text: str) -> float:
    """Hangul syllables among all letters of any script, 0 to 1; 0 when there are no letters.

    >>> hangul_share("모델(model)은 2")
    0.375
    """
    letters = len(_LETTER.findall(text))
    return hangul_syllables(text) / letters if letters else 0.0


def query_key(text: str) -> str:
    """What two texts share when a reader would call them the same: case-folded word characters.

    >>> query_key(" 셀 보호(Cell)! ") == query_key("셀보호 CELL")
    True
    """
    return _NON_WORD.sub("", unicodedata.normalize("NFKC", text).casefold())
