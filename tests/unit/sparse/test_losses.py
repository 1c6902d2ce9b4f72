"""Losses and regularizers, worked by hand."""

import math

import pytest
import torch

from kosparse.sparse.losses import info_nce, kl_divergence, margin_mse, teacher_target
from kosparse.sparse.regularizers import flops, flops_apart, l0_masked


def test_agreeing_with_the_teacher_costs_nothing():
    target = torch.tensor([[0.7, 0.2, 0.1]])

    assert float(kl_divergence(target.log(), target)) == pytest.approx(0.0, abs=1e-6)


def test_divergence_of_a_student_without_an_opinion():
    # Student .5/.5, teacher .9/.1: .9 ln(.9/.5) + .1 ln(.1/.5) = .529 - .161
    loss = kl_divergence(torch.zeros(1, 2), torch.tensor([[0.9, 0.1]]))

    assert float(loss) == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2), abs=1e-5)


def test_target_is_a_softmax_over_what_the_teacher_kept_and_nothing_elsewhere():
    # Scores 1 and 0 at temperature ln 3: 3/4 and 1/4.
    target = teacher_target(
        torch.tensor([[2, 0]]),
        torch.tensor([[1.0, 0.0]]),
        4,
        temperature=math.log(3),
        positives=torch.tensor([2]),
        label_weight=torch.tensor([0.0]),
    )

    assert target[0].tolist() == pytest.approx([0.25, 0.0, 0.75, 0.0])


def test_label_weight_moves_mass_to_the_known_positive():
    target = teacher_target(
        torch.tensor([[2, 0]]),
        torch.tensor([[1.0, 0.0]]),
        4,
        temperature=math.log(3),
        positives=torch.tensor([1]),
        label_weight=torch.tensor([0.5]),
    )

    assert target[0].tolist() == pytest.approx([0.125, 0.5, 0.375, 0.0])


def test_margins_are_compared_with_the_teachers():
    # Own passage first. Student's margins 2 - 1.5 = .5 and 2 - 0 = 2, the teacher's 1 - .5 = .5 and 1 - 0 = 1.
    student, teacher = torch.tensor([[2.0, 1.5, 0.0]]), torch.tensor([[1.0, 0.5, 0.0]])

    assert float(margin_mse(student, teacher, torch.tensor([0]))) == pytest.approx((0**2 + 1**2) / 2)


def test_a_margin_the_teacher_does_not_know_teaches_nothing():
    nan = math.nan
    student = torch.tensor([[2.0, 1.5, 0.0], [5.0, 1.0, 0.0]], requires_grad=True)
    teacher = torch.tensor([[1.0, 0.5, nan], [nan, 1.0, 0.5]])

    # Of the first query one margin is known, 2 - 1.5 against 1 - .5; of the second none: its own passage has no score.
    loss = margin_mse(student, teacher, torch.tensor([0, 0]))
    loss.backward()
    assert loss.item() == 0.0 and student.grad.isfinite().all()
    assert float(margin_mse(student.detach(), torch.full((2, 3), nan), torch.tensor([0, 0]))) == 0.0


def test_the_own_passage_competes_with_the_candidates_alone():
    # exp: own 2, a candidate 1, and one of 100 that is no candidate. -ln(2 / 3).
    scores = torch.tensor([[2.0, 1.0, 100.0]]).log()

    loss = info_nce(scores, torch.tensor([0]), torch.tensor([[True, True, False]]))
    assert float(loss) == pytest.approx(math.log(1.5))


def test_flops_squares_the_mean_of_each_term():
    # Means 1 and 2: 1 + 4.
    assert float(flops(torch.tensor([[2.0, 1.0], [0.0, 3.0]]))) == pytest.approx(5.0)


def test_the_own_passage_is_not_lost_among_many_others():
    # The own passage alone: 2² = 4. The three others have the mean 1: 1. In one mean: ((2 + 3) / 4)² = 1.5625.
    weights = torch.tensor([[0.0], [3.0], [2.0], [0.0]])
    assert float(flops_apart(weights, torch.tensor([2, 2]))) == pytest.approx((4 + 1) / 2)
    assert float(flops(weights)) == pytest.approx(1.5625)
    assert float(flops_apart(weights[2:3], torch.tensor([0]))) == pytest.approx(4.0), "there are no others"


def test_a_passage_that_is_sparse_enough_costs_nothing_but_counts_in_the_mean():
    # Two active terms are spared at a threshold of 2, three are not: means 1/2, 1/2 and 1.
    weights = torch.tensor([[5.0, 5.0, 0.0], [1.0, 1.0, 2.0]], requires_grad=True)
    masked = l0_masked(weights, torch.tensor([2, 3]), 2)
    flops(masked).backward()
    assert flops(masked).item() == pytest.approx(0.25 + 0.25 + 1)
    assert not weights.grad[0].any() and weights.grad[1].all()


def test_the_mask_is_that_of_sentence_transformers():
    from sentence_transformers.sparse_encoder.losses import FlopsLoss

    weights = torch.relu(torch.randn(9, 30, generator=torch.Generator().manual_seed(0)))
    active = (weights > 0).sum(1)
    threshold = int(active.median())
    expected = FlopsLoss(None, threshold=threshold).compute_loss_from_embeddings(weights)
    assert 0 < float(expected) < float(flops(weights))
    assert float(flops(l0_masked(weights, active, threshold))) == pytest.approx(float(expected))
