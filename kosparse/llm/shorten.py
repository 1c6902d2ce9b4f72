"""Cut what is too long for a model's context, at a sentence end."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_TOO_LONG = re.compile(r"context length|context window|too long|too many tokens|context_length_exceeded", re.IGNORECASE)
_LIMIT = re.compile(r"context (?:length|window)(?: is)?(?: only)?(?: of)? \(?(\d+)", re.IGNORECASE)
_COUNT = re.compile(
    r"(?:at least )?(\d+) (?:input tokens|in the messages)|resulted in (\d+) tokens|Input length \((\d+)\)|"
    r"requested (\d+) tokens",
    re.IGNORECASE,
)
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
    limit, count = _LIMIT.search(message), _COUNT.search(message)
    if limit is None or count is None or count.group(0).lower().startswith("at least"):
        return None
    return int(next(group for group in count.groups() if group)), int(limit.group(1))


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
    """The beginning of a text, at most so many characters, cut at a sentence end.

    A first sentence that is longer is cut at its last blank, or anywhere when it has none.

    >>> shorten("셀을 엽니다. 셀을 보호합니다. 저장합니다.", 20)
    '셀을 엽니다. 셀을 보호합니다.'
    """
    from kosparse.corpus.morphemes import sentences

    end = _end_of_last_whole(text, sentences(text[: characters + 1]), characters)
    if end == 0:
        end = text.rfind(" ", 0, characters + 1)
        end = characters if end <= 0 else end
    return text[:end].rstrip()


def _end_of_last_whole(text: str, parts: Sequence[str], characters: int) -> int:
    """Where the last sentence ends that is certainly whole: the one at the cut may go on behind it."""
    end = at = 0
    for part in parts[:-1]:
        at = text.index(part, at) + len(part)
        end = at if at <= characters else end
    return end
