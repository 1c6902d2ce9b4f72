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


def dictionary_hinge(source: Tensor, target: Tensor, probability: Tensor, cap: float = 0.5) -> Tensor:
    """Where one term of a dictionary entry is active, the other should be too, up to a cap.

    mean of p * relu(min(source, cap) - target); the source side gets no gradient, so that the cheapest
    way out is not to switch it off.

    Args:
        source: Weights of the term that stands in the passage, any shape.
        target: Weights of its translation in the same passages, same shape.
        probability: How sure the dictionary is, same shape.
        cap: A weight beyond which nothing more is asked.
    """
    if not len(source):
        return source.sum()
    return (probability * torch.relu(source.detach().clamp(max=cap) - target)).mean()
