"""Distil the teachers into the sparse encoder.

The student ranks all passages for each query of a batch; the loss is the KL divergence from the
teacher's ranking, plus FLOPS for sparsity and a hinge for the dictionary. Passages of the validation
split are held out: the state that comes closest to the teacher on their synthetic and pseudo-queries is kept.
Finding the passage a pseudo-query was cut from would reward its own words alone. No real query is looked at.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from kosparse.config import TrainSparseConfig
from kosparse.errors import InputError, KosparseError
from kosparse.progress import Bar, note
from kosparse.sparse.active_dims import ActiveDims
from kosparse.sparse.losses import kl_divergence, teacher_target
from kosparse.sparse.student import Student, Terms
from kosparse.sparse.training_set import GROUPS, TrainingSet

_VALIDATIONS = 6
_VALIDATION_QUERIES = 300
_HOLD_EVERY = 20
"""Steps between two corrections of the active dimensions."""


@dataclass
class Trained:
    """How training went."""

    history: list[dict[str, float]] = field(default_factory=list)
    steps: int = 0
    active_dims: float = 0.0
    """Mean active dimensions per passage of the state that was kept."""


class Trainer:
    """Runs the loop.

    Args:
        config: Settings.
        data: Queries, passages and teacher scores.
        student: What learns. It is changed in place and left in its best state.
        units: The distinct units of each query.

    Raises:
        InputError: No query is left to train on.
    """

    def __init__(self, config: TrainSparseConfig, data: TrainingSet, student: Student, units: Sequence[Terms]) -> None:
        self.config, self.data, self.student, self.units = config, data, student, units
        self.random = np.random.default_rng(config.seed)
        self.groups = {group: self._usable("train", group) for group in GROUPS}
        if not any(self.groups.values()):
            raise InputError(
                "no query is left to train on: all belong to validation documents or hold no known unit",
                where="training_set",
                fix="Give more documents, or set build_training_set.pseudo_queries above 0.",
            )
        held_out = self._usable("validation")
        self.held_out = held_out[:: max(1, len(held_out) // _VALIDATION_QUERIES)] or sum(self.groups.values(), [])
        self.own = {passage.id: place for place, passage in enumerate(data.passages)}
        self.everything = range(len(data.passages))
        groups = student.groups(config)
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.scale = 1.0
        self.active = ActiveDims(config.active_dims)

    def run(self) -> Trained:
        """Train until ``max_steps`` or ``max_seconds``.

        Raises:
            KosparseError: The loss is not a number.
        """
        result, started = Trained(), time.monotonic()
        self.scale = self._initial_scale()
        best, kept = self._validate(result, 0.0, {}), self._state()
        bar, between = Bar("training", self.config.max_steps, "steps"), max(1, self.config.max_steps // _VALIDATIONS)
        while result.steps < self.config.max_steps and time.monotonic() - started < self.config.max_seconds:
            self._decay(result.steps / self.config.max_steps)
            parts = self._step()
            result.steps += 1
            if result.steps % _HOLD_EVERY == 0:
                self.active.hold(self.student)
            bar.advance()
            if result.steps % between == 0:
                score = self._validate(result, time.monotonic() - started, parts)
                best, kept = self._keep_better(best, kept, score)
        bar.close()
        final = self._validate(result, time.monotonic() - started, {})
        if final > best:
            self._restore(kept)
            note("an earlier state was closer to the teacher on held-out queries and is kept")
        result.active_dims = self.active.hold(self.student)
        return result

    def _usable(self, split: str, group: str | None = None) -> list[int]:
        return [row for row in self.data.rows(split, group) if len(self.units[row])]

    def _step(self) -> dict[str, float]:
        """One optimizer step; the parts of the loss."""
        chosen = self._draw()
        passages = self._passages(chosen)
        scores, sparsity = self.student.scores([self.units[query] for query in chosen], passages)
        kl = kl_divergence(self.scale * scores, self._target(chosen, passages))
        wishes = self.student.dictionary(passages)
        loss = kl + self.config.flops_weight * sparsity + self.config.dictionary_weight * wishes
        if not math.isfinite(float(loss.detach())):
            raise KosparseError(
                f"the loss is {float(loss.detach())}",
                where="train_sparse",
                fix="Lower train_sparse.learning_rate; the backbone and the training set are kept.",
            )
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        parts = {"loss": loss, "kl": kl, "flops": sparsity, "dictionary": wishes}
        return {name: round(float(value.detach()), 5) for name, value in parts.items()}

    def _draw(self) -> list[int]:
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

    def _passages(self, queries: Sequence[int]) -> Sequence[int]:
        """Passages ranked in this step: all of them when the student can, else those the batch speaks of."""
        if self.config.train == "head":
            return self.everything
        depth = max(1, self.config.passages_per_query)
        wanted = {int(passage) for query in queries for passage in self.data.teacher.passages[query][:depth]}
        return sorted(wanted | {self.own[self.data.queries[query].passage_id] for query in queries})

    def _target(self, queries: Sequence[int], passages: Sequence[int]) -> Tensor:
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

    def _initial_scale(self) -> float:
        """Bring the student's scores to the spread of the teacher's: a mismatch here costs a run."""
        self.active.hold(self.student)
        scores = self._held_out_scores()
        teacher = torch.from_numpy(self.data.teacher.scores[self.held_out])
        depth = min(teacher.shape[1], scores.shape[1])
        spread = float(scores.topk(depth, dim=1).values.std(1, correction=0).mean())
        return self.config.temperature * float(teacher.std(1, correction=0).mean()) / max(spread, 1e-6)

    def _validate(self, result: Trained, seconds: float, parts: dict[str, float]) -> float:
        """KL of the held-out queries at the target; appended to the history with nDCG@10 of their own passages."""
        active = self.active.hold(self.student)
        scores, passages = self._held_out_scores(), self._passages(self.held_out)
        kl = float(kl_divergence(self.scale * scores, self._target(self.held_out, passages)))
        place = {passage: column for column, passage in enumerate(passages)}
        own = torch.tensor([place[self.own[self.data.queries[query].passage_id]] for query in self.held_out])
        row = {"step": result.steps, "seconds": round(seconds, 1), "validation_kl": round(kl, 4)}
        ndcg = round(_ndcg(scores, own), 4)
        result.history.append({**row, "validation_ndcg@10": ndcg, "active_terms": round(active, 1), **parts})
        return kl

    @torch.no_grad()
    def _held_out_scores(self) -> Tensor:
        passages = self._passages(self.held_out)
        return self.student.scores([self.units[query] for query in self.held_out], passages)[0]

    def _decay(self, done: float) -> None:
        """Learning rates fall linearly with the share of steps that is done; the clock has no say."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * (1 - done)

    def _keep_better(self, best: float, kept: list[Tensor], score: float) -> tuple[float, list[Tensor]]:
        return (score, self._state()) if score <= best else (best, kept)

    def _state(self) -> list[Tensor]:
        return copy.deepcopy([parameter.data for parameter in self.parameters])

    def _restore(self, state: Sequence[Tensor]) -> None:
        for parameter, value in zip(self.parameters, state, strict=True):
            parameter.data.copy_(value)


def _ndcg(scores: Tensor, own: Tensor) -> float:
    """Mean nDCG@10 when exactly one passage is right: ``1 / log2(1 + rank)``, ties at their middle rank."""
    mine = scores.gather(1, own[:, None])
    rank = (scores > mine).sum(1) + ((scores == mine).sum(1) - 1) / 2 + 1
    return float(torch.where(rank <= 10, 1 / torch.log2(1 + rank), 0.0).mean())
