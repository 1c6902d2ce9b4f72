"""What a step ranks, which losses it adds up, and how the negatives of the next round are found."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from kosparse.config import TrainSparseConfig
from kosparse.errors import ConfigError
from kosparse.records import NegativeDoc, Passage, TrainingQuery
from kosparse.sparse.batches import Batch, Batches
from kosparse.sparse.objective import prices, ranking_losses, total
from kosparse.sparse.remining import own_negatives
from kosparse.sparse.student import Scored, weighed
from kosparse.sparse.teacher import TeacherScores
from kosparse.sparse.training_set import TrainingSet

DOCUMENTS = ["a", "a", "b", "c", "d"]
"""Of five passages; the first two are of one document."""
UNITS = [np.array([0]), np.array([1])]


def training_set(negatives=()):
    """Two queries, whose own passages are the first and the third; the teacher keeps three for each."""
    passages = [Passage(id=f"p{n}", document_id=name, position=0, text=name) for n, name in enumerate(DOCUMENTS)]
    queries = [
        TrainingQuery(id=f"q{n}", text="q", origin="pseudo", passage_id=own, split="train")
        for n, own in enumerate(["p0", "p2"])
    ]
    best = np.array([[0, 1, 3], [2, 3, 0]], dtype=np.int32)
    scores = np.array([[1.0, 0.5, 0.2], [1.0, 0.99, 0.4]], dtype=np.float32)
    rows = [NegativeDoc(pair_id=query, passage_id=passage, kind="bm25") for query, passage in negatives]
    return TrainingSet(queries, passages, TeacherScores(best, scores), rows)


def batches(negatives=(), **settings):
    return Batches(TrainSparseConfig(batch_size=2, **settings), training_set(negatives), UNITS)


def test_the_teacher_says_nothing_of_what_it_did_not_keep():
    made = batches()
    scores = made.teacher(Batch([0, 1], [0, 2, 3], [(), ()]))
    assert scores.tolist() == [
        pytest.approx([1.0, np.nan, 0.2], nan_ok=True),
        pytest.approx([0.4, 1.0, 0.99], nan_ok=True),
    ]


def test_a_query_competes_with_the_batch_and_its_negatives_but_not_with_its_document():
    made = batches()
    # Query 1 is of document b, whose only passage is its own; query 0 of document a.
    batch = Batch([0, 1], range(5), [[4], ()])
    assert made.candidates(batch).tolist() == [[True, False, True, False, True], [True, False, True, False, False]]
    twins = Batch([0, 0], range(5), [(), ()])
    assert made.candidates(twins).sum(1).tolist() == [1, 1]


def test_mined_negatives_are_read_when_every_layer_learns():
    made = batches([("q0", "p3"), ("q1", "p4"), ("gone", "p1")], train="all", passages_per_query=1)
    batch = made.draw()
    assert list(batch.passages) == [0, 2, 3, 4]
    assert dict(zip(batch.queries, batch.negatives, strict=True)) == {0: [3], 1: [4]}
    assert list(made.held_out.passages) == [0, 2], "held-out queries are ranked alike in every round"


def test_as_many_negatives_are_drawn_as_are_wanted():
    mined = [("q0", f"p{n}") for n in (2, 3, 4)]
    batches_drawn = [batches(mined, train="all", negatives_per_query=2, seed=seed).draw() for seed in range(9)]
    drawn = {tuple(sorted(batch.negatives[list(batch.queries).index(0)])) for batch in batches_drawn}
    assert drawn == {(2, 3), (2, 4), (3, 4)}
    assert not any(batches(mined).draw().negatives), "the head ranks all passages anyway"


def test_the_loss_is_the_sum_of_its_parts_by_their_weights():
    config = TrainSparseConfig(margin_mse_weight=0.5, info_nce_weight=2.0, temperature=10.0)
    made = Batches(config, training_set(), UNITS)
    batch = Batch([0, 1], range(5), [(), ()])
    logits = torch.zeros(2, 5)

    parts = ranking_losses(config, logits, batch, made)

    assert set(parts) == {"kl", "margin_mse", "info_nce"}
    # A student without margins: the teacher's are .5, .8, .01 and .6.
    assert float(parts["margin_mse"]) == pytest.approx((0.5**2 + 0.8**2 + 0.01**2 + 0.6**2) / 4, rel=1e-5)
    assert float(parts["info_nce"]) == pytest.approx(np.log(2))
    more = {**parts, "flops": torch.tensor(10.0), "dictionary": torch.tensor(1.0)}
    expected = float(parts["kl"]) + 0.5 * float(parts["margin_mse"]) + 2.0 * np.log(2) + 10 * 3e-3 + 0.1
    assert float(total(config, more)) == pytest.approx(expected)


def price(active=None, share=1.0, **settings):
    """Of weights 3, 0, 1, 0 and 2 in one dimension; the queries' own passages are the first and the third."""
    weights = torch.tensor([[3.0], [0.0], [1.0], [0.0], [2.0]])
    made = batches(**settings)
    scored = Scored(torch.zeros(2, 5), weights, share, active)
    (found,) = prices(made.config, scored, Batch([0, 1], range(5), [(), ()]), made).values()
    return float(found)


def test_the_price_of_density_is_flops_masked_and_taken_apart_where_asked():
    assert price() == pytest.approx((6 / 5) ** 2) and price(share=3.0) == pytest.approx(3 * (6 / 5) ** 2)
    # Own passages: (3 + 1) / 2; the others: 2 / 3.
    assert price(flops_apart=True) == pytest.approx((2**2 + (2 / 3) ** 2) / 2)
    assert price(flops_l0_mask=1) == 0, "one dimension is active at most"
    counted = torch.tensor([9, 9, 2, 9, 1])
    assert price(counted, flops_l0_mask=2) == pytest.approx((3 / 5) ** 2)
    assert price(counted, flops_l0_mask=1, flops_apart=True) == pytest.approx(2**2 / 2)


def test_queries_that_the_encoder_has_made_have_a_price_of_their_own():
    made, queries = batches(), torch.tensor([[2.0, 0.0], [0.0, 4.0]])
    scored = Scored(torch.zeros(2, 5), torch.ones(5, 2), queries=queries)
    found = prices(made.config, scored, Batch([0, 1], range(5), [(), ()]), made)
    assert {name: float(value) for name, value in found.items()} == {"flops": 2.0, "query_flops": 1.0 + 4.0}
    config = TrainSparseConfig(flops_weight=0.5, query_flops_weight=0.1)
    assert float(total(config, found)) == pytest.approx(0.5 * 2 + 0.1 * 5)


def test_a_student_that_agrees_with_the_teacher_has_its_margins_at_any_temperature():
    config = TrainSparseConfig(kl_weight=0.0, margin_mse_weight=1.0, temperature=7.0)
    made, batch = Batches(config, training_set(), UNITS), Batch([0, 1], range(5), [(), ()])
    parts = ranking_losses(config, 7.0 * made.teacher(batch).nan_to_num(), batch, made)
    assert list(parts) == ["margin_mse"] and float(parts["margin_mse"]) == pytest.approx(0.0, abs=1e-9)


class Ranked:
    """A student with these weights of two terms in five passages."""

    def vectors(self):
        weights = csr_matrix(np.array([[0.1, 9.0, 2.0, 3.0, 0.0], [0.0, 0.0, 1.0, 5.0, 4.0]], dtype=np.float32).T)
        return weights

    def weigh(self, queries):
        return weighed(queries, torch.tensor([1.0, 2.0]))


def test_what_the_model_ranks_high_and_the_teacher_does_not_is_a_negative():
    # Query 0: p1 is of its own document; p3 scores 3, p2 scores 2; p4 shares nothing with it.
    # Query 1: p3 is first, but the teacher gives it .99 of the own passage's score.
    assert own_negatives(Ranked(), training_set(), UNITS, [0, 1]) == {0: [3, 2], 1: [4]}
    assert own_negatives(Ranked(), training_set(), UNITS, [1]) == {1: [4]}


def test_settings_that_teach_nothing_are_refused():
    with pytest.raises(ConfigError, match="nothing to learn from"):
        TrainSparseConfig.parse({"kl_weight": 0.0}, step="train_sparse")
    with pytest.raises(ConfigError, match="rounds change nothing"):
        TrainSparseConfig.parse({"rounds": 2}, step="train_sparse")
    with pytest.raises(ConfigError, match="change nothing without FLOPS"):
        TrainSparseConfig.parse({"flops_weight": 0.0, "flops_l0_mask": 100}, step="train_sparse")
    assert TrainSparseConfig.parse({"rounds": 2, "info_nce_weight": 1.0}).uses_negatives
