"""Losses over scores of queries against passages."""

from __future__ import annotations

import torch
from torch import Tensor


def kl_divergence(student: Tensor, target: Tensor) -> Tensor:
    """KL(target || softmax(student)), averaged over queries (Hinton et al. 2015, without temperature scaling).

    Args:
        student: Scores, shape [queries, passages].
        target: Probabilities, rows sum to 1: shape [queries, passages].

    Returns:
        A scalar >= 0.
    """
    log_student = torch.log_softmax(student, dim=1)
    entropy = torch.special.entr(target).sum(dim=1)
    return (-(target * log_student).sum(dim=1) - entropy).mean()


def margin_mse(student: Tensor, teacher: Tensor, positives: Tensor) -> Tensor:
    """MarginMSE: mean of ``((s+ - s-) - (t+ - t-)) ** 2`` over the other passages (Hofstätter et al. 2020, 2010.02666).

    A query whose positive the teacher did not score has no margins and is left out.

    Args:
        student: Scores, shape [queries, passages].
        teacher: Scores in the same unit, not finite where the teacher gave none, same shape.
        positives: Column of each query's own passage: shape [queries].

    Returns:
        A scalar >= 0; 0 when the teacher knows no margin.
    """
    own = positives[:, None]
    distance = (student.gather(1, own) - student) - (teacher.gather(1, own) - teacher)
    known = distance.isfinite().scatter(1, own, False)
    return distance[known].square().sum() / known.sum().clamp(min=1)


def info_nce(scores: Tensor, positives: Tensor, candidates: Tensor) -> Tensor:
    """InfoNCE: mean of ``-log(exp(s+) / sum of exp(s))`` over the candidates (van den Oord et al. 2018, 1807.03748).

    Args:
        scores: Shape [queries, passages].
        positives: Column of each query's own passage: shape [queries].
        candidates: Whether a passage is ranked for a query; the positive is: bool, same shape as ``scores``.

    Returns:
        A scalar >= 0.
    """
    return torch.nn.functional.cross_entropy(scores.masked_fill(~candidates, -torch.inf), positives)


def teacher_target(
    passages: Tensor, scores: Tensor, width: int, *, temperature: float, positives: Tensor, label_weight: Tensor
) -> Tensor:
    """The distribution to imitate: the teacher's, with some of its mass moved to a known positive.

    Args:
        passages: Positions the teacher scored, shape [queries, depth].
        scores: In [0, 1]; minus infinity takes a passage out (a known negative): shape [queries, depth].
        width: Passages in all; those the teacher did not keep get 0.
        temperature: Scores are multiplied by it before the softmax.
        positives: Position of each query's own passage: shape [queries].
        label_weight: Mass moved to it, in [0, 1]: shape [queries].

    Returns:
        Rows that sum to 1: shape [queries, width].
    """
    target = torch.zeros(len(passages), width)
    target.scatter_(1, passages, torch.softmax(scores * temperature, dim=1))
    target *= 1 - label_weight[:, None]
    return target.scatter_add_(1, positives[:, None], label_weight[:, None])
