"""Which encoding Korean bytes are in, and text that was once read in the wrong one."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress

import ftfy
from ftfy.badness import is_bad

_HANGUL = re.compile(r"[가-힣]")
_LATIN_ONLY = re.compile(r"[\x00-\xff\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122\u20ac]*")
_LATIN_RUN = re.compile(r"[\xa1-\xff]{4}")
_TWO_BYTES_EACH = re.compile(r"[\x80-\u07ff]")
_LEAST_COMMON = 0.9
"""Of the Hangul in real Korean text, at least this share is among the 2,350 syllables of KS X 1001."""
_UTF16_NULS, _UTF16_RATIO = 0.2, 4
"""In UTF-16, blanks and marks put a NUL in every second place. 가 (U+AC00) puts one in the other, but less often."""


def decode(line: bytes, after: str = "utf-8") -> tuple[str, str]:
    """Text and encoding of bytes: UTF-8 (with or without mark), else CP949, which holds EUC-KR.

    Args:
        line: Any bytes.
        after: Encoding of the text before: it decides for the few bytes that are words in both, such as those of 키.

    Raises:
        UnicodeDecodeError: Neither; or CP949 would give syllables that nobody writes.

    >>> decode("한글".encode("euc-kr"))
    ('한글', 'cp949')
    >>> decode("키".encode("cp949")), decode("키".encode("cp949"), after="cp949")
    (('Ű', 'utf-8'), ('키', 'cp949'))
    """
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _cp949(line), "cp949"
    if after == "cp949" and _TWO_BYTES_EACH.search(text) and max(text) < "\u0800":
        with suppress(UnicodeDecodeError):  # Latin letters in UTF-8 after all
            return _cp949(line), "cp949"
    return text, "utf-8"


def utf16_of(start: bytes) -> str | None:
    """Python's name of the UTF-16 that a file starts in, by its mark or by where its NULs stand; else None.

    >>> utf16_of("글: a".encode("utf-16")), utf16_of('{"a": 1}'.encode("utf-16-be")), utf16_of(b"{}")
    ('utf-16', 'utf-16-be', None)
    """
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = start[::2].count(0), start[1::2].count(0)
    least = _UTF16_NULS * len(start) / 2
    if odd > max(least, _UTF16_RATIO * even):
        return "utf-16-le"
    return "utf-16-be" if even > max(least, _UTF16_RATIO * odd) else None


def mend(text: str) -> str:
    """Undo a wrong decoding, if there was one: UTF-8 read as Latin-1 or the like (by ftfy), CP949 read as Latin-1.

    >>> mend("셀 보호".encode().decode("latin-1")), mend("셀 보호".encode("cp949").decode("latin-1")), mend("café 셀")
    ('셀 보호', '셀 보호', 'café 셀')
    """
    if text.isascii():
        return text
    if _LATIN_RUN.search(text) and _LATIN_ONLY.fullmatch(text):
        # "sloppy" lets through the bytes that Windows-1252 leaves open; ftfy brings the codec.
        for wrong in ("latin-1", "sloppy-windows-1252"):
            try:
                korean, encoding = decode(text.encode(wrong))
            except UnicodeError:
                continue
            if _HANGUL.search(korean) and encoding in ("utf-8", "cp949"):
                return korean
    return ftfy.fix_encoding(text) if is_bad(text) else text


def _cp949(line: bytes) -> str:
    text = line.decode("cp949")
    syllables = _HANGUL.findall(text)
    if sum(map(_in_ksx1001, syllables)) < _LEAST_COMMON * len(syllables) or not syllables:
        raise UnicodeDecodeError("cp949", line, 0, len(line), "syllables that nobody writes")
    return text


def _in_ksx1001(syllable: str) -> bool:
    try:
        return len(syllable.encode("euc-kr")) == 2
    except UnicodeEncodeError:
        return False
