"""Cut what is too long for a model's context, at a sentence end."""

from __future__ import annotations

import math
import re

_TOO_LONG = re.compile(r"context length|context window|too long|too many tokens|context_length_exceeded", re.IGNORECASE)
_LIMIT = re.compile(r"context (?:length|window)(?: is)?(?: only)?(?: of)? \(?(\d+)", re.IGNORECASE)
_COUNTS = (
    re.compile(r"(\d+) in the messages", re.IGNORECASE),
    re.compile(r"(?<!at least )\b(\d+) input tokens", re.IGNORECASE),
    re.compile(r"resulted in (\d+) tokens", re.IGNORECASE),
    re.compile(r"Input length \((\d+)\)", re.IGNORECASE),
)
_SENTENCE_END = re.compile(r"""[.!?。！？…]["'”’)\]]*(?=\s)|\n""")
"""By punctuation alone: this runs between two requests, where a morphological analyser would be in the way."""
_SPARE = 1.05
"""A stretch's tokens may be denser than the rest of the prompt's."""
_BLIND = 0.75
"""Kept of the stretch when nobody tells how long it is."""


def is_too_long(message: str) -> bool:
    """Whether a server's refusal speaks of its context."""
    return _TOO_LONG.search(message) is not None


def told_lengths(message: str) -> tuple[int, int] | None:
    """(prompt tokens, context tokens) as a refusal tells them; None when it does not, or not exactly.

    >>> told_lengths("This model's maximum context length is 4096 tokens. However, you requested "
    ...     "5128 tokens (5000 in the messages, 128 in the completion).")
    (5000, 4096)
    """
    limit = _LIMIT.search(message)
    counts = [found for pattern in _COUNTS if (found := pattern.search(message))]
    return (int(counts[0].group(1)), int(limit.group(1))) if limit and counts else None


def characters_to_keep(stretch: int, prompt: int, lengths: tuple[int, int] | None, max_tokens: int) -> int:
    """How much of a stretch fits.

    Args:
        stretch: Characters of the part that may be cut.
        prompt: Characters of all messages.
        lengths: (prompt tokens, context tokens), or None when nobody tells: then a quarter goes.
        max_tokens: Room for the answer.

    Returns:
        Characters, less than ``stretch``; 0 or less when the rest of the prompt alone is too long.

    >>> characters_to_keep(3000, 4000, (2000, 1000), 100)  # 1,100 of 2,000 tokens too many
    690
    """
    if lengths is None:
        return int(stretch * _BLIND)
    tokens, limit = lengths
    excess = max(tokens - (limit - max_tokens), 1)
    return stretch - math.ceil(excess / tokens * prompt * _SPARE)


def shorten(text: str, characters: int) -> str:
    """The beginning of a text, at most so many characters, cut at a sentence or line end.

    A first sentence that is longer is cut at its last blank, or anywhere when it has none.

    >>> shorten("셀을 엽니다. 3.5 버전입니다. 저장합니다.", 20)
    '셀을 엽니다. 3.5 버전입니다.'
    """
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, characters + 1) if match.end() <= characters]
    end = ends[-1] if ends else text.rfind(" ", 0, characters + 1)
    return text[: end if end > 0 else characters].rstrip()
