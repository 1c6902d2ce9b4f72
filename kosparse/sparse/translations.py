"""What a verified dictionary makes of a passage's words: units of the other language, known before it is read.

A passage that says ``cell`` may be asked for with ``셀``. The dictionary knows that for certain, while an encoder puts
texts of one language close together and would have to learn it word by word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.records import SynonymEntry

_MOST_UNITS = 3
"""A term cut into more morphemes than this says little about any of them."""


class Rule(NamedTuple):
    """Whoever says ``source`` may be asked for with ``target``."""

    source: tuple[str, ...]
    """Morphemes that stand next to each other."""
    target: tuple[str, ...]
    weight: float
    """In (0, 1]."""


def rules_of(entries: Iterable[SynonymEntry], least_p: float, share: float) -> Iterator[Rule]:
    """The dictionary as rules over morphemes, each with a share of its probability.

    An entry that goes one way gives one rule: ``ko_to_en`` lets a Korean query find English text.

    Args:
        entries: The dictionary.
        least_p: Entries below this probability are left out.
        share: In [0, 1]; 0 gives no rules.
    """
    chosen = [entry for entry in entries if entry.p >= least_p and entry.p * share > 0]
    cut = [tuple(found) for found in content_morphemes_of([side for row in chosen for side in (row.ko, row.en)])]
    for entry, ko, en in zip(chosen, cut[::2], cut[1::2], strict=True):
        if ko == en or not (0 < len(ko) <= _MOST_UNITS and 0 < len(en) <= _MOST_UNITS):
            continue
        if entry.direction != "en_to_ko":
            yield Rule(en, ko, share * entry.p)
        if entry.direction != "ko_to_en":
            yield Rule(ko, en, share * entry.p)


class Translations:
    """Rules, found by where their source begins.

    Args:
        rules: Of two with one source and target the heavier counts.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        best: dict[tuple[tuple[str, ...], tuple[str, ...]], float] = {}
        for source, target, weight in rules:
            best[source, target] = max(weight, best.get((source, target), 0.0))
        self.rules = [Rule(source, target, weight) for (source, target), weight in sorted(best.items())]
        self._by_source: dict[tuple[str, ...], list[Rule]] = defaultdict(list)
        for rule in self.rules:
            self._by_source[rule.source].append(rule)
        self._lengths = sorted({len(rule.source) for rule in self.rules})

    def of(self, names: Sequence[str], weights: Sequence[float]) -> Iterator[tuple[Rule, float]]:
        """The rules whose source stands in a text, and the weights of the places where it begins together.

        Args:
            names: The text's morphemes in order, those that are no dimension included.
            weights: Of each place.
        """
        for length in self._lengths:
            found: dict[tuple[str, ...], float] = defaultdict(float)
            for at in range(len(names) - length + 1):
                found[tuple(names[at : at + length])] += weights[at]
            for source in found.keys() & self._by_source.keys():
                yield from ((rule, found[source]) for rule in self._by_source[source])
