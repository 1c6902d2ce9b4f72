"""JSON out of what a language model wrote."""

from __future__ import annotations

import json
import re
from typing import Any

_FENCE = re.compile(r"```[a-zA-Z]*\s*\n?(.*?)```", re.DOTALL)
_REASONING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)
_SMART_QUOTES = str.maketrans({"“": '"', "”": '"'})


def parse_json(text: str) -> Any:
    """Read the JSON value in an answer.

    Code fences, reasoning blocks (``<think>``), prose around the value and trailing commas are
    mended; an answer cut off in the middle is not.

    >>> parse_json('네, 답입니다:\\n```json\\n{"queries": ["셀 보호",],}\\n```')
    {'queries': ['셀 보호']}

    Raises:
        ValueError: There is no complete JSON value in it.
    """
    text = _REASONING.sub("", text).strip()
    fenced = _FENCE.search(text)
    for candidate in [text, *([fenced.group(1)] if fenced else [])]:
        for repaired in (candidate, _without_trailing_commas(candidate)):
            value, found = _first_value(repaired)
            if found:
                return value
    value, found = _first_value(_without_trailing_commas(text.translate(_SMART_QUOTES)))
    if found:
        return value
    raise ValueError(f"no JSON in {text[:120]!r}")


def _without_trailing_commas(text: str) -> str:
    """Drop commas before a closing bracket, but not inside strings."""
    return _STRING_OR_TRAILING_COMMA.sub(lambda match: match.group(1) or "", text)


def _first_value(text: str) -> tuple[Any, bool]:
    """The whole text as JSON, else the first object or array in it that reads to its end."""
    try:
        return json.loads(text), True
    except ValueError:
        pass
    decoder = json.JSONDecoder()
    for start in (position for position, character in enumerate(text) if character in "{["):
        try:
            return decoder.raw_decode(text, start)[0], True
        except ValueError:
            continue
    return None, False
