"""Dictionary supervision: terms a passage should activate because a verified synonym stands in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kosparse.corpus.units import Units
from kosparse.records import SynonymEntry

_MOST_UNITS = 3
"""A translation cut into more units than this says little about any of them."""
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

    def hinge(
        self,
        weights: Tensor,
        terms: NDArray[np.int64],
        passages: Sequence[int],
        margin: float,
        rows: Sequence[int] = (),
    ) -> Tensor:
        """Mean of ``p * max(0, margin - weight)`` over what the passages are asked for.

        Args:
            weights: Of ``terms``, one row per passage: shape [rows, len(terms)].
            terms: Ascending.
            passages: Whose wishes count.
            margin: Weight from which on nothing more is asked.
            rows: Row of each of these passages in ``weights``; their own positions when left out.
        """
        lines = list(zip(passages, rows or passages, strict=True))
        places = [(row, term, p) for passage, row in lines for term, p in self.wanted[passage].items()]
        lines_of = torch.tensor([row for row, _, _ in places])
        columns = torch.from_numpy(np.searchsorted(terms, [term for _, term, _ in places]))
        share = torch.tensor([p for _, _, p in places])
        return (share * torch.relu(margin - weights[lines_of, columns])).mean()


def dictionary_wishes(units: Units, texts: Sequence[str], entries: Sequence[SynonymEntry], least_p: float) -> Wishes:
    """For each text that holds one side of an entry, the units of the other side.

    Args:
        units: The dimensions.
        texts: The passages.
        entries: The dictionary.
        least_p: Entries below this probability are left out.
    """
    entries = [entry for entry in entries if entry.p >= least_p]
    sides = units.of([side for entry in entries for side in (entry.ko, entry.en)])
    rules: dict[int, list[tuple[set[int], list[int], float]]] = {}
    for entry, ko, en in zip(entries, sides[::2], sides[1::2], strict=True):
        if 0 < len(ko) <= _MOST_UNITS and 0 < len(en) <= _MOST_UNITS:
            if entry.direction != "ko_to_en":
                rules.setdefault(ko[0], []).append((set(ko), en, entry.p))
            if entry.direction != "en_to_ko":
                rules.setdefault(en[0], []).append((set(en), ko, entry.p))
    wanted: dict[int, dict[int, float]] = {}
    for position, found in enumerate(units.of(texts)):
        present = set(found)
        for first in present & rules.keys():
            for source, target, p in rules[first]:
                for unit in target if source <= present else ():
                    if unit not in present:
                        asked = wanted.setdefault(position, {})
                        asked[unit] = max(p, asked.get(unit, 0.0))
    return Wishes(wanted)
