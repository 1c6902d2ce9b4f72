"""What a training step looks at: queries, the passages they are ranked against, and what the teacher says of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kosparse.config import TrainSparseConfig
from kosparse.errors import InputError
from kosparse.sparse.losses import teacher_target
from kosparse.sparse.student import Asked
from kosparse.sparse.training_set import GROUPS, TrainingSet

_VALIDATION_QUERIES = 300
_JUDGED_QUERIES = 1000
"""The rank of one passage says less than a divergence: more of them are looked at."""


@dataclass(frozen=True)
class Batch:
    """Of one step; queries and passages are positions in the training set."""

    queries: Sequence[int]
    passages: Sequence[int]
    """Ranked for every query, ascending: all of them when the student can, else those the batch speaks of."""
    negatives: Sequence[Sequence[int]]
    """Hard negatives of each query; they are among the passages."""


class Batches:
    """Draws them.

    Args:
        config: Settings.
        data: Queries, passages and teacher scores.
        asked: What the student reads of each query.

    Raises:
        InputError: No query is left to train on.
    """

    def __init__(self, config: TrainSparseConfig, data: TrainingSet, asked: Sequence[Asked]) -> None:
        self.config, self.data, self.asked = config, data, asked
        self.random = np.random.default_rng(config.seed)
        self.groups = {group: self.usable("train", group) for group in GROUPS}
        if not any(self.groups.values()):
            raise InputError(
                "no query is left to train on: all belong to validation documents or hold no known unit",
                where="training_set",
                fix="Give more documents, or set build_training_set.pseudo_queries above 0.",
            )
        self.own = {passage.id: place for place, passage in enumerate(data.passages)}
        self.negatives = self._mined()
        """Hard negatives by query."""
        real = self.usable("validation", "real")
        self.validates_on_real = bool(real)
        """Whether the held-out queries are judged ones: then their judgements choose the state, not the teacher."""
        held_out = real or self.usable("validation")
        most = _JUDGED_QUERIES if real else _VALIDATION_QUERIES
        chosen = held_out[:: max(1, len(held_out) // most)] or sum(self.groups.values(), [])
        self.held_out = Batch(chosen, self._passages(chosen, ()), [()] * len(chosen))

    @property
    def learnt(self) -> list[int]:
        """Queries that are learnt from."""
        return sorted(row for rows in self.groups.values() for row in rows)

    def usable(self, split: str, group: str | None = None) -> list[int]:
        """Queries of a split that hold a known unit."""
        return [row for row in self.data.rows(split, group) if len(self.asked[row])]

    def draw(self) -> Batch:
        """The wanted shares of real and synthetic queries, the rest pseudo, with what they are ranked against."""
        left = self.config.batch_size
        picked: list[int] = []
        for name in GROUPS:
            count = min(self._wanted(name, left), len(self.groups[name]))
            if count:
                picked += map(int, self.random.choice(self.groups[name], count, replace=False))
            left -= count
        negatives = [self._negatives(query) for query in picked]
        return Batch(picked, self._passages(picked, (passage for row in negatives for passage in row)), negatives)

    def target(self, batch: Batch) -> Tensor:
        """Teacher probabilities over the passages: shape [queries, passages]."""
        scored, scores = self._teacher(batch)
        target = teacher_target(
            scored,
            scores,
            len(self.data.passages),
            temperature=self.config.temperature,
            positives=torch.tensor(self._own(batch)),
            label_weight=torch.tensor([self._label_weight(query) for query in batch.queries]),
        )
        if len(batch.passages) == len(self.data.passages):
            return target
        part = target[:, list(batch.passages)]
        return part / part.sum(1, keepdim=True).clamp(min=1e-9)

    def teacher(self, batch: Batch) -> Tensor:
        """Teacher scores in [0, 1], NaN for passages it did not keep: shape [queries, passages]."""
        scored, scores = self._teacher(batch)
        table = torch.full((len(batch.queries), len(self.data.passages)), torch.nan).scatter_(1, scored, scores)
        return table if len(batch.passages) == len(self.data.passages) else table[:, list(batch.passages)]

    def candidates(self, batch: Batch) -> Tensor:
        """What InfoNCE ranks for each query: bool, shape [queries, passages].

        The queries' own passages and its hard negatives, but no other passage of its own document.
        """
        own = self._own(batch)
        documents = [self.data.passages[passage].document_id for passage in own]
        table = torch.zeros(len(own), len(batch.passages), dtype=torch.bool)
        for line, passage in enumerate(own):
            others = [other for other, name in zip(own, documents, strict=True) if name != documents[line]]
            table[line, torch.from_numpy(_columns(batch, [passage, *others, *batch.negatives[line]]))] = True
        return table

    def own_columns(self, batch: Batch) -> Tensor:
        """Where among the passages each query's own stands: int64, shape [queries]."""
        return torch.from_numpy(_columns(batch, self._own(batch)))

    def names(self, batch: Batch) -> str:
        """Ids a person can look up."""
        return ", ".join(self.data.queries[query].id for query in batch.queries)

    def state(self) -> dict[str, Any]:
        """Where the draws stand, and the negatives mined last."""
        return {"random": self.random.bit_generator.state, "negatives": self.negatives}

    def restore(self, state: dict[str, Any]) -> None:
        """Take ``state`` back."""
        self.random.bit_generator.state = state["random"]
        self.negatives = state["negatives"]

    def _mined(self) -> dict[int, list[int]]:
        """Those the training set brings along."""
        rows = {query.id: row for row, query in enumerate(self.data.queries)}
        found: dict[int, list[int]] = {}
        for negative in self.data.negatives:
            if negative.pair_id in rows and negative.passage_id in self.own:
                found.setdefault(rows[negative.pair_id], []).append(self.own[negative.passage_id])
        return found

    def _negatives(self, query: int) -> list[int]:
        """As many as are wanted, drawn from those of the query."""
        known = self.negatives.get(query, []) if self.config.uses_negatives else []
        if len(known) <= self.config.negatives_per_query:
            return known
        return [int(passage) for passage in self.random.choice(known, self.config.negatives_per_query, replace=False)]

    def _wanted(self, name: str, left: int) -> int:
        """How many of the places left go to a group: all of them when nothing comes after it."""
        after = GROUPS[GROUPS.index(name) + 1 :]
        if not any(self.groups[other] for other in after):
            return left
        return round(left * (self.config.real_share if name == "real" else self.config.synthetic_share))

    def _passages(self, queries: Sequence[int], negatives: Iterable[int]) -> Sequence[int]:
        if self.config.train == "head":
            return range(len(self.data.passages))
        depth = max(1, self.config.passages_per_query)
        wanted = {int(passage) for query in queries for passage in self.data.teacher.passages[query][:depth]}
        return sorted(wanted | {self.own[self.data.queries[query].passage_id] for query in queries} | set(negatives))

    def _own(self, batch: Batch) -> list[int]:
        return [self.own[self.data.queries[query].passage_id] for query in batch.queries]

    def _teacher(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Passages the teacher kept for each query, int64, and their scores: shapes [queries, depth]."""
        rows = list(batch.queries)
        passages = self.data.teacher.passages[rows].astype(np.int64)
        return torch.from_numpy(passages), torch.from_numpy(self.data.teacher.scores[rows])

    def _label_weight(self, query: int) -> float:
        real = self.data.queries[query].group == "real"
        return self.config.real_label_weight if real else self.config.label_weight


def _columns(batch: Batch, passages: Sequence[int]) -> NDArray[np.int64]:
    """Where passages stand in a batch."""
    return np.searchsorted(np.asarray(batch.passages), passages).astype(np.int64)
