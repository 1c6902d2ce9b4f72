"""What a training step makes smaller: losses over the ranking, a price for density, and what the dictionary asks."""

from __future__ import annotations

from torch import Tensor

from kosparse.config import TrainSparseConfig
from kosparse.sparse.batches import Batch, Batches
from kosparse.sparse.losses import info_nce, kl_divergence, margin_mse
from kosparse.sparse.regularizers import flops, flops_apart, l0_masked
from kosparse.sparse.student import Scored


def ranking_losses(config: TrainSparseConfig, logits: Tensor, batch: Batch, batches: Batches) -> dict[str, Tensor]:
    """Those the settings give a weight, by name.

    Args:
        config: Settings.
        logits: Student scores, scaled so that their softmax is compared with the teacher's: shape [queries, passages].
        batch: What was scored.
        batches: Knows what the teacher says of it.
    """
    found = {}
    if config.kl_weight:
        found["kl"] = kl_divergence(logits, batches.target(batch))
    if config.margin_mse_weight:
        # The teacher's scores lie in [0, 1]; its softmax is taken at the temperature, and so was the student's.
        student = logits / config.temperature
        found["margin_mse"] = margin_mse(student, batches.teacher(batch), batches.own_columns(batch))
    if config.info_nce_weight:
        found["info_nce"] = info_nce(logits, batches.own_columns(batch), batches.candidates(batch))
    return found


def prices(config: TrainSparseConfig, scored: Scored, batch: Batch, batches: Batches) -> dict[str, Tensor]:
    """What density costs, by name: FLOPS of the passages and, where the encoder has made them, of the queries.

    Args:
        config: Settings.
        scored: Weights of the batch's passages, and how many of them are active.
        batch: What was scored.
        batches: Knows which passages are the queries' own.
    """
    weights = scored.weights
    if config.flops_l0_mask:
        active = (weights > 0).sum(1) if scored.active is None else scored.active
        weights = l0_masked(weights, active, config.flops_l0_mask)
    penalty = flops_apart(weights, batches.own_columns(batch)) if config.flops_apart else flops(weights)
    found = {"flops": penalty * scored.share}
    return found if scored.queries is None else {**found, "query_flops": flops(scored.queries)}


def total(config: TrainSparseConfig, parts: dict[str, Tensor]) -> Tensor:
    """The parts by their weights."""
    weights = {
        "kl": config.kl_weight,
        "margin_mse": config.margin_mse_weight,
        "info_nce": config.info_nce_weight,
        "flops": config.flops_weight,
        "query_flops": config.query_flops_weight,
        "dictionary": config.dictionary_weight,
    }
    first, *others = [weights[name] * part for name, part in parts.items()]
    return sum(others, first)
