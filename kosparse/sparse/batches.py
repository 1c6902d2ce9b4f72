"""What a training step looks at: queries, the passages they are ranked against, and the ranking to imitate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kosparse.config import TrainSparseConfig
from kosparse.errors import InputError
from kosparse.sparse.losses import teacher_target
from kosparse.sparse.student import Terms
from kosparse.sparse.training_set import GROUPS, TrainingSet

_VALIDATION_QUERIES = 300


class Batches:
    """Draws them.

    Args:
        config: Settings.
        data: Queries, passages and teacher scores.
        units: The distinct units of each query.

    Raises:
        InputError: No query is left to train on.
    """

    def __init__(self, config: TrainSparseConfig, data: TrainingSet, units: Sequence[Terms]) -> None:
        self.config, self.data, self.units = config, data, units
        self.random = np.random.default_rng(config.seed)
        self.groups = {group: self.usable("train", group) for group in GROUPS}
        if not any(self.groups.values()):
            raise InputError(
                "no query is left to train on: all belong to validation documents or hold no known unit",
                where="training_set",
                fix="Give more documents, or set build_training_set.pseudo_queries above 0.",
            )
        held_out = self.usable("validation")
        self.held_out = held_out[:: max(1, len(held_out) // _VALIDATION_QUERIES)] or sum(self.groups.values(), [])
        self.own = {passage.id: place for place, passage in enumerate(data.passages)}

    def usable(self, split: str, group: str | None = None) -> list[int]:
        """Queries of a split that hold a known unit."""
        return [row for row in self.data.rows(split, group) if len(self.units[row])]

    def draw(self) -> list[int]:
        """Queries of one batch: the wanted shares of real and synthetic ones, the rest pseudo."""
        left = self.config.batch_size
        picked: list[int] = []
        for name in GROUPS:
            count = min(self._wanted(name, left), len(self.groups[name]))
            if count:
                picked += map(int, self.random.choice(self.groups[name], count, replace=False))
            left -= count
        return picked

    def _wanted(self, name: str, left: int) -> int:
        """How many of the places left go to a group: all of them when nothing comes after it."""
        after = GROUPS[GROUPS.index(name) + 1 :]
        if not any(self.groups[other] for other in after):
            return left
        return round(left * (self.config.real_share if name == "real" else self.config.synthetic_share))

    def passages(self, queries: Sequence[int]) -> Sequence[int]:
        """Passages ranked in this step: all of them when the student can, else those the batch speaks of."""
        if self.config.train == "head":
            return range(len(self.data.passages))
        depth = max(1, self.config.passages_per_query)
        wanted = {int(passage) for query in queries for passage in self.data.teacher.passages[query][:depth]}
        return sorted(wanted | {self.own[self.data.queries[query].passage_id] for query in queries})

    def target(self, queries: Sequence[int], passages: Sequence[int]) -> Tensor:
        """Teacher probabilities over the passages: shape [queries, passages]."""
        teacher = self.data.teacher
        positives = [self.own[self.data.queries[query].passage_id] for query in queries]
        target = teacher_target(
            torch.from_numpy(teacher.passages[queries].astype(np.int64)),
            torch.from_numpy(teacher.scores[queries]),
            len(self.data.passages),
            temperature=self.config.temperature,
            positives=torch.tensor(positives),
            label_weight=torch.tensor([self._label_weight(query) for query in queries]),
        )
        if len(passages) == len(self.data.passages):
            return target
        part = target[:, list(passages)]
        return part / part.sum(1, keepdim=True).clamp(min=1e-9)

    def _label_weight(self, query: int) -> float:
        real = self.data.queries[query].group == "real"
        return self.config.real_label_weight if real else self.config.label_weight

    def own_places(self, queries: Sequence[int], passages: Sequence[int]) -> Tensor:
        """Where among the passages each query's own stands: int64, shape [queries]."""
        place = {passage: column for column, passage in enumerate(passages)}
        return torch.tensor([place[self.own[self.data.queries[query].passage_id]] for query in queries])

    def names(self, queries: Sequence[int]) -> str:
        """Ids a person can look up."""
        return ", ".join(self.data.queries[query].id for query in queries)
