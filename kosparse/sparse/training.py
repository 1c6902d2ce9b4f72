"""Distil the teachers into the sparse encoder.

The student ranks all passages for each query of a batch; the loss is the KL divergence from the
teacher's ranking, MarginMSE or InfoNCE, as the settings say, plus FLOPS for sparsity and a hinge for the dictionary.
Between two rounds the hard negatives are mined anew by the student's own ranking. Passages of the validation
split are held out: the state that comes closest to the teacher on their synthetic and pseudo-queries is kept.
Finding the passage a pseudo-query was cut from would reward its own words alone. No real query is looked at, unless
the training set holds judged ones: then the state is kept that ranks the held-out of these best.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn

from kosparse.config import TrainSparseConfig
from kosparse.errors import KosparseError, ResourceError
from kosparse.progress import Bar, note
from kosparse.sparse import distributed
from kosparse.sparse.active_dims import ActiveDims
from kosparse.sparse.batches import Batch, Batches
from kosparse.sparse.checkpoints import Checkpoints
from kosparse.sparse.curves import Curves
from kosparse.sparse.full_student import out_of_memory
from kosparse.sparse.losses import kl_divergence
from kosparse.sparse.objective import prices, ranking_losses, total
from kosparse.sparse.optimizer import open_optimizer
from kosparse.sparse.remining import own_negatives
from kosparse.sparse.student import Asked, Scored, Student
from kosparse.sparse.training_set import TrainingSet
from kosparse.sparse.validation import ndcg_of_one

_VALIDATIONS = 6
_HOLD_EVERY = 20
"""Steps between two corrections of the active dimensions."""
_EXPLODED = 100
"""Times the first loss: what is beyond does not come back."""


@dataclass
class Trained:
    """How training went."""

    history: list[dict[str, float]] = field(default_factory=list)
    """A row per validation, the first before any step."""
    kept: dict[str, float] = field(default_factory=dict)
    """The row of the state that was kept."""
    steps: int = 0
    seconds: float = 0.0
    """Training, those before an interruption included."""
    active_dims: float = 0.0
    """Mean active dimensions per passage of the state that was kept."""
    judged: dict[str, float] = field(default_factory=dict)
    """What judged queries brought, as ``fit_to_judged`` says."""


class Trainer:
    """Runs the loop.

    Args:
        config: Settings.
        data: Queries, passages and teacher scores.
        student: What learns. It is changed in place and left in its best state.
        asked: What the student reads of each query.
        checkpoints: Where the training is kept while it runs, and found again.
        curves: Where what it is doing can be seen; in the progress line alone by default.

    Raises:
        InputError: No query is left to train on.
    """

    def __init__(
        self,
        config: TrainSparseConfig,
        data: TrainingSet,
        student: Student,
        asked: Sequence[Asked],
        checkpoints: Checkpoints | None = None,
        curves: Curves | None = None,
    ) -> None:
        self.config, self.data, self.student, self.asked = config, data, student, asked
        self.batches, self.checkpoints = Batches(config, data, asked), checkpoints
        self.curves = curves or Curves(config.curve_seconds)
        groups = student.groups(config)
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.optimizer = open_optimizer(config.optimizer, groups)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.scale, self.first_loss = 1.0, 0.0
        self.active = ActiveDims(config.active_dims)
        self.result = Trained()
        self.best, self.kept = math.inf, self._weights()

    def run(self) -> Trained:
        """Train until ``max_steps`` or ``max_seconds``, from the last checkpoint where there is one.

        Raises:
            KosparseError: The loss is not a number, or has exploded.
            ResourceError: Memory does not suffice for one passage at a time.
        """
        if not self._resume():
            self.scale = self._initial_scale()
            self._keep_better(self._validate({}))
        result, config = self.result, self.config
        saved = time.monotonic()
        started = saved - result.seconds
        bar, between = Bar("training", config.max_steps, "steps"), max(1, config.max_steps // _VALIDATIONS)
        bar.advance(result.steps)
        while result.steps < config.max_steps and not distributed.any_of(result.seconds >= config.max_seconds):
            self._decay(result.steps / config.max_steps)
            batch = self.batches.draw()
            parts = self._step(batch)
            result.steps += 1
            if result.steps % _HOLD_EVERY == 0:
                self._hold()
            self._mine()
            self._show(parts, len(batch.queries))
            bar.detail = self.curves.line
            bar.advance()
            result.seconds = time.monotonic() - started
            if result.steps % between == 0:
                self._keep_better(self._validate(parts))
            if time.monotonic() - saved >= config.checkpoint_seconds:
                self._save()
                saved = time.monotonic()
        bar.close()
        self.curves.flush()
        if self._validate({}) > self.best:
            self._put(self.kept)
            told = (
                "ranked the held-out real"
                if self.batches.validates_on_real
                else "was closer to the teacher on held-out"
            )
            note(f"an earlier state {told} queries{' better' * self.batches.validates_on_real} and is kept")
        else:
            result.kept = result.history[-1]
        result.active_dims = self.active.hold(self.student)
        return result

    def _step(self, batch: Batch) -> dict[str, float]:
        """One optimizer step; the parts of the loss."""
        parts = self._backward(batch)
        self.student.share_gradients()
        norm = float(nn.utils.clip_grad_norm_(self.parameters, 1.0))
        if not math.isfinite(norm):
            raise self._failure(f"the gradient is {norm}", batch)
        self.optimizer.step()
        return {name: round(value, 5) for name, value in parts.items()}

    def _hold(self) -> None:
        """Bring the active dimensions to their target; count them where the regularizer looks at their number."""
        self.active.hold(self.student)
        if self.config.flops_l0_mask:
            self.student.count_active()

    def _mine(self) -> None:
        """At the end of a round, let the student's own ranking say what is hard."""
        each = -(-self.config.max_steps // self.config.rounds)
        if self.config.rounds > 1 and self.result.steps % each == 0 and self.result.steps < self.config.max_steps:
            self.active.hold(self.student)
            self.batches.negatives = own_negatives(self.student, self.data, self.asked, self.batches.learnt)
            note(f"hard negatives of {len(self.batches.negatives)} queries were mined by the model's own ranking")

    def _show(self, parts: dict[str, float], examples: int) -> None:
        """Add a step to the curves."""
        rate, active = self.optimizer.param_groups[0]["lr"], self.active.found
        self.curves.take(self.result.steps, parts, examples=examples, active_dims=active, learning_rate=rate)

    def _backward(self, batch: Batch) -> dict[str, float]:
        """Gradients of one batch; the parts of its loss. What memory cannot hold at once is read in smaller parts."""
        while True:
            short = False
            try:
                self.optimizer.zero_grad()
                parts = self._loss(batch)
                self._check({name: float(value.detach()) for name, value in parts.items()}, batch)
                parts["loss"].backward()
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                short = True
            if not distributed.any_of(short):
                return {name: float(value.detach()) for name, value in parts.items()}
            if not self.student.read_less():
                raise ResourceError(
                    "there is too little memory for a training step",
                    where=self._place(batch),
                    fix="Lower train_sparse.batch_size or passages_per_query, or shorten prepare_backbone.max_length.",
                )

    def _loss(self, batch: Batch) -> dict[str, Tensor]:
        scored = self._scores(batch)
        parts = ranking_losses(self.config, self.scale * scored.scores, batch, self.batches)
        parts |= prices(self.config, scored, batch, self.batches)
        if self.config.dictionary_weight:
            parts["dictionary"] = self.student.dictionary(batch.passages)
        return {"loss": total(self.config, parts), **parts}

    def _scores(self, batch: Batch) -> Scored:
        return self.student.scores([self.asked[query] for query in batch.queries], batch.passages)

    def _check(self, parts: dict[str, float], batch: Batch) -> None:
        """Stop where going on would only spoil what was learnt."""
        loss = parts["loss"]
        self.first_loss = self.first_loss or abs(loss)
        if not math.isfinite(loss):
            raise self._failure(f"the loss is {loss}", batch)
        if loss > _EXPLODED * max(self.first_loss, 1.0):
            raise self._failure(f"the loss has grown from {self.first_loss:.4g} to {loss:.4g}", batch)

    def _failure(self, what: str, batch: Batch) -> KosparseError:
        kept = f", and the last good checkpoint in {self.checkpoints.folder}" if self.checkpoints else ""
        return KosparseError(
            what,
            where=self._place(batch),
            fix=f"Lower train_sparse.learning_rate, or look at these queries. The training set is kept{kept}.",
        )

    def _place(self, batch: Batch) -> str:
        """The batch a person can look up."""
        return f"train_sparse, step {self.result.steps + 1}, queries {self.batches.names(batch)}"

    def _initial_scale(self) -> float:
        """Bring the student's scores to the spread of the teacher's: a mismatch here costs a run."""
        self._hold()
        scores = self._held_out_scores()
        teacher = torch.from_numpy(self.data.teacher.scores[list(self.batches.held_out.queries)])
        depth = min(teacher.shape[1], scores.shape[1])
        spread = float(scores.topk(depth, dim=1).values.std(1, correction=0).mean())
        return self.config.temperature * float(teacher.std(1, correction=0).mean()) / max(spread, 1e-6)

    def _validate(self, parts: dict[str, float]) -> float:
        """How bad the state is at the target of active dimensions; appended to the history.

        The KL divergence of the held-out queries; of judged ones 1 - nDCG@10.
        """
        active = self.active.hold(self.student)
        scores, held_out = self._held_out_scores(), self.batches.held_out
        kl = float(kl_divergence(self.scale * scores, self.batches.target(held_out)))
        ndcg = round(ndcg_of_one(scores, self.batches.own_columns(held_out)), 4)
        row = {"step": self.result.steps, "seconds": round(self.result.seconds, 1), "validation_kl": round(kl, 4)}
        self.result.history.append({**row, "validation_ndcg@10": ndcg, "active_terms": round(active, 1), **parts})
        return 1 - ndcg if self.batches.validates_on_real else kl

    @torch.no_grad()
    def _held_out_scores(self) -> Tensor:
        return self._scores(self.batches.held_out).scores

    def _decay(self, done: float) -> None:
        """Learning rates fall linearly with the share of steps that is done; the clock has no say."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * (1 - done)

    def _keep_better(self, score: float) -> None:
        if score <= self.best:
            self.best, self.kept, self.result.kept = score, self._weights(), self.result.history[-1]

    def _weights(self) -> list[Tensor]:
        return copy.deepcopy([parameter.data for parameter in self.parameters])

    def _put(self, weights: Sequence[Tensor]) -> None:
        for parameter, value in zip(self.parameters, weights, strict=True):
            parameter.data.copy_(value)

    def _save(self) -> None:
        """Keep everything the next step depends on, unless the weights are spoilt already."""
        if self.checkpoints is None or distributed.rank() or not all(p.isfinite().all() for p in self.parameters):
            return
        state = {
            "result": asdict(self.result),
            "scale": self.scale,
            "first_loss": self.first_loss,
            "best": self.best,
            "kept": self.kept,
            "weights": [parameter.data for parameter in self.parameters],
            "optimizer": self.optimizer.state_dict(),
            "student": self.student.state(),
            "batches": self.batches.state(),
            "torch": torch.get_rng_state(),
        }
        self.checkpoints.save(self.result.steps, state)

    def _resume(self) -> bool:
        """Go on from the last checkpoint; False when there is none."""
        found = self.checkpoints.latest() if self.checkpoints and not distributed.rank() else None
        state = distributed.from_first(found)
        if state is None:
            return False
        self.result = Trained(**state["result"])
        self.result.kept = self.result.kept or min(self.result.history, key=lambda row: row["validation_kl"])
        self.active.found = self.result.history[-1]["active_terms"]
        self.scale, self.first_loss = state["scale"], state["first_loss"]
        self.best, self.kept = state["best"], state["kept"]
        self._put(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.student.restore(state["student"])
        self.batches.restore(state["batches"])
        torch.set_rng_state(state["torch"])
        note(f"training goes on from step {self.result.steps}")
        return True
