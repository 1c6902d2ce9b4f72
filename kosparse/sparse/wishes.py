"""Dictionary supervision: terms a passage should activate because a verified synonym stands in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kosparse.records import SynonymEntry

_MOST_PIECES = 3
"""A translation cut into more word pieces than this says little about any of them."""
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Wishes:
    """What each passage is asked to activate."""

    wanted: dict[int, dict[int, float]]
    """Passage -> term -> probability of the entry that asks for it."""

    def terms_of(self, passage: int) -> NDArray[np.int64]:
        """The terms asked of a passage; empty when none."""
        found = self.wanted.get(passage)
        return np.fromiter(found, dtype=np.int64, count=len(found)) if found else _NONE

    def draw(self, random: np.random.Generator, count: int) -> list[int]:
        """Some of the passages that are asked for something."""
        asked = list(self.wanted)
        if len(asked) <= count:
            return asked
        return [int(passage) for passage in random.choice(asked, count, replace=False)]

    def hinge(self, weights: Tensor, terms: NDArray[np.int64], passages: Sequence[int], margin: float) -> Tensor:
        """Mean of ``p * max(0, margin - weight)`` over what the passages are asked for.

        Args:
            weights: Of ``terms`` in every passage: shape [passages, len(terms)].
            terms: Ascending.
            passages: Whose wishes count.
            margin: Weight from which on nothing more is asked.
        """
        places = [(passage, term, p) for passage in passages for term, p in self.wanted[passage].items()]
        rows = torch.tensor([passage for passage, _, _ in places])
        columns = torch.from_numpy(np.searchsorted(terms, [term for _, term, _ in places]))
        share = torch.tensor([p for _, _, p in places])
        return (share * torch.relu(margin - weights[rows, columns])).mean()


def dictionary_wishes(tokenizer: Any, texts: Sequence[str], entries: Sequence[SynonymEntry], least_p: float) -> Wishes:
    """For each text that holds one side of an entry, the word pieces of the other side.

    Args:
        tokenizer: Of the backbone.
        texts: The passages.
        entries: The dictionary.
        least_p: Entries below this probability are left out.
    """
    rules: dict[int, list[tuple[set[int], list[int], float]]] = {}
    for entry in entries:
        ko, en = (tokenizer(term, add_special_tokens=False)["input_ids"] for term in (entry.ko, entry.en))
        if entry.p >= least_p and 0 < len(ko) <= _MOST_PIECES and 0 < len(en) <= _MOST_PIECES:
            rules.setdefault(ko[0], []).append((set(ko), en, entry.p))
            rules.setdefault(en[0], []).append((set(en), ko, entry.p))
    wanted: dict[int, dict[int, float]] = {}
    for position, ids in enumerate(tokenizer(list(texts), add_special_tokens=False)["input_ids"]):
        present = set(ids)
        for first in present & rules.keys():
            for source, target, p in rules[first]:
                for piece in target if source <= present else ():
                    if piece not in present:
                        asked = wanted.setdefault(position, {})
                        asked[piece] = max(p, asked.get(piece, 0.0))
    return Wishes(wanted)
