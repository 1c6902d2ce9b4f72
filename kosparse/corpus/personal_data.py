"""Personal data in Korean text, by form and check digit: what a training set or a shared file should not hold."""

from __future__ import annotations

import re
from collections.abc import Callable

_LEFT, _RIGHT = r"(?<![\d-])", r"(?![\d-])"
_BUSINESS_WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)


def _digits(text: str) -> list[int]:
    return [int(character) for character in text if character.isdigit()]


def _is_date_of_birth(text: str) -> bool:
    """Month, day and the digit of century and sex. Numbers given out since October 2020 have no check digit."""
    digits = _digits(text)
    month, day = digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]
    return 1 <= month <= 12 and 1 <= day <= 31 and 1 <= digits[6] <= 8


def _is_business(text: str) -> bool:
    digits = _digits(text)
    total = sum(digit * weight for digit, weight in zip(digits, _BUSINESS_WEIGHTS, strict=False))
    return (total + digits[8] * 5 // 10 + digits[9]) % 10 == 0


def _is_card(text: str) -> bool:
    """Luhn's check."""
    digits = _digits(text)[::-1]
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(digits)]
    return sum(doubled) % 10 == 0 and len(set(digits)) > 1


def _always(text: str) -> bool:
    return True


_KINDS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("resident_number", re.compile(rf"{_LEFT}\d{{6}}\s?-\s?[1-8]\d{{6}}{_RIGHT}"), _is_date_of_birth),
    ("phone", re.compile(rf"{_LEFT}(?:\+82[ -]?1[016-9]|01[016-9])[ .-]?\d{{3,4}}[ .-]?\d{{4}}{_RIGHT}"), _always),
    ("phone", re.compile(rf"{_LEFT}0(?:2|[3-6][1-5]|70)[ .)-]{{1,2}}\d{{3,4}}[ .-]\d{{4}}{_RIGHT}"), _always),
    ("business_number", re.compile(rf"{_LEFT}\d{{3}}-\d{{2}}-\d{{5}}{_RIGHT}"), _is_business),
    ("card", re.compile(rf"{_LEFT}\d{{4}}[ -]\d{{4}}[ -]\d{{4}}[ -]\d{{4}}{_RIGHT}"), _is_card),
    ("email", re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"), _always),
)
_RESERVED = re.compile(r"@(?:[\w-]+\.)*example\.(?:com|net|org)$", re.IGNORECASE)
"""Addresses nobody can have (RFC 2606): manuals are full of them."""


def personal_data(text: str) -> list[str]:
    """Kinds of personal data a text holds, each once: resident and business numbers, phones, cards, e-mail addresses.

    >>> personal_data("문의: 010-1234-5678, hong@corp.co.kr")
    ['phone', 'email']
    >>> personal_data("010 버전, 2024-12-31, someone@example.com")
    []
    """
    found = [
        kind
        for kind, form, holds in _KINDS
        if any(holds(match[0]) and not _RESERVED.search(match[0]) for match in form.finditer(text))
    ]
    return list(dict.fromkeys(found))
