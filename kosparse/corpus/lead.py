"""Where a text says what it is about: words at its beginning count for more than those further down.

Frequencies are weighed before they saturate, as BM25F weighs those of fields (Robertson, Zaragoza and Taylor 2004,
"Simple BM25 extension to multiple weighted fields"); this field has no end, it fades. A text as a whole counts for as
many words as it has, so lengths stay what they are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FADES = 20.0
"""Words after which the extra weight has fallen to 1/e; chosen with the weight (ADR 0022)."""


def lead_weights(count: int, lead: float) -> NDArray[np.float64]:
    """In proportion to ``1 + lead * exp(-position / 20)``, their mean 1: shape [count].

    Args:
        count: Words of the text.
        lead: Extra weight of the first word, >= 0.
    """
    weights = 1 + lead * np.exp(-np.arange(count) / _FADES)
    return weights * (count / max(weights.sum(), 1.0))


def led_frequencies(words: Sequence[str], lead: float) -> dict[str, float]:
    """What the places of each word in a text weigh together; how often it stands there, for ``lead`` 0."""
    if not lead:
        return dict(Counter(words))
    found: dict[str, float] = defaultdict(float)
    for word, weight in zip(words, lead_weights(len(words), lead).tolist(), strict=True):
        found[word] += weight
    return found
