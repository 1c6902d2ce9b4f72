import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from kosparse.records import Passage, TrainingQuery
from kosparse.sparse.judged_weights import fit_to_judged
from kosparse.sparse.teacher import TeacherScores
from kosparse.sparse.training_set import TrainingSet

TOPIC, LOUD, SPARE = 0, 5, 6
"""A unit for each of five documents; one that every query holds and that speaks for the wrong document; one unused."""
WEIGHTS = [1.0, 1.0, 1.0, 1.0, 1.0, 1.5, 0.0]


class Student:
    """Static query weights over given passages."""

    def __init__(self, vectors, weights=WEIGHTS):
        self._vectors = csr_matrix(np.array(vectors, dtype=np.float32))
        self.weights = None if weights is None else torch.tensor(weights)

    def vectors(self):
        return self._vectors

    def query_weights(self):
        return self.weights

    def reweigh(self, factors):
        self.weights = self.weights * factors


def student(loud=(1.0, 0.0, 0.0, 0.0, 0.0), **given):
    """Document n is about unit n; how loud each is."""
    return Student(np.hstack([np.eye(5), np.array(loud)[:, None], np.zeros((5, 1))]), **given)


def passages():
    return [Passage(id=f"d{n}#0", document_id=f"d{n}", position=0, text=f"문서 {n}") for n in range(5)]


def training_set(judged, origin="real"):
    """``(split, document, units)`` of each query, one by one."""
    queries = [
        TrainingQuery(id=f"q{n}", text=f"질의 {units}", origin=origin, passage_id=f"d{document}#0", split=split)
        for n, (split, document, units) in enumerate(judged)
    ]
    teacher = TeacherScores(np.zeros((len(queries), 1), dtype=np.int32), np.zeros((len(queries), 1), dtype=np.float32))
    return TrainingSet(queries, passages(), teacher), [np.array(units) for _, _, units in judged]


def asked(split, documents):
    return [(split, document, [TOPIC + document, LOUD]) for document in documents]


def test_a_word_that_speaks_for_the_wrong_documents_loses_weight(capsys):
    data, units = training_set([*asked("train", [1, 2, 3] * 5), *asked("validation", [4, 4])])
    learner = student()

    found = fit_to_judged(learner, data, units, spread=0.5)

    assert found["judged_ndcg@10_before"] == pytest.approx(1 / np.log2(3)) and found["judged_ndcg@10"] == 1.0
    assert learner.weights[LOUD] < 1.0 < learner.weights[[1, 2, 3]].min()
    assert learner.weights[SPARE] == 0.0, "what no query is asked by stays where it was"
    assert "fitted to 15 judged queries; held-out ones: nDCG@10 0.6309, with these 1.0000" in capsys.readouterr().err


def test_weights_that_make_the_held_out_no_more_likely_are_not_taken(capsys):
    data, units = training_set([*asked("train", [1, 2, 3] * 5), *asked("validation", [0, 0])])
    learner = student()

    found = fit_to_judged(learner, data, units, spread=0.5)

    assert found == {"judged_ndcg@10_before": 1.0, "judged_ndcg@10": 1.0}
    assert learner.weights.tolist() == pytest.approx(WEIGHTS)
    assert "so the weights stay as they were" in capsys.readouterr().err


def test_without_held_out_queries_what_was_learnt_is_taken():
    data, units = training_set(asked("train", [1, 2, 3] * 5))
    learner = student()
    assert fit_to_judged(learner, data, units, spread=0.5) == {}
    assert learner.weights[LOUD] < 1.0


def test_the_spread_bounds_how_far_one_word_goes_from_the_others():
    """All weigh alike, so that no power of them changes anything; some judgements contradict the others."""
    data, units = training_set([*asked("train", [1, 2, 3] * 5), *[("train", 0, [TOPIC + 1, LOUD])] * 2])
    moved = []
    for spread in (1e-4, 0.1, 0.5):
        learner = student(weights=[1.0] * 7)
        fit_to_judged(learner, data, units, spread=spread)
        moved.append(float(learner.weights[1] - learner.weights[LOUD]))
    assert moved[0] == pytest.approx(0.0, abs=1e-3) and 0.01 < moved[1] < moved[2]


def test_one_power_of_all_weights_is_free():
    """Heavy words mislead here: even where no single word may move, all of them draw closer together."""
    data, units = training_set(asked("train", [1, 2, 3] * 5))
    learner = student(weights=[1.0, 1.0, 1.0, 1.0, 1.0, 3.0, 1.0])
    fit_to_judged(learner, data, units, spread=1e-4)
    assert learner.weights[LOUD] / learner.weights[1] < 1.5
    assert learner.weights[[1, 2, 3]].std() < 1e-3


def test_another_relevant_document_of_a_query_is_not_held_against_it():
    """Both documents of the query are relevant, and nothing else is found: there is nothing to learn."""
    both = [("train", 0, [1, LOUD]), ("train", 1, [1, LOUD])] * 5
    data, units = training_set(both)
    learner = student()
    fit_to_judged(learner, data, units, spread=0.5)
    assert learner.weights.tolist() == pytest.approx(WEIGHTS, abs=1e-3)


@pytest.mark.parametrize(
    ("judged", "origin", "weights"),
    [
        ([], "real", WEIGHTS),
        (asked("train", [1, 2]), "pseudo", WEIGHTS),
        (asked("validation", [1, 2]), "real", WEIGHTS),
        ([("train", 1, [])], "real", WEIGHTS),
        ([("train", 1, [SPARE])], "real", WEIGHTS),
        (asked("train", [1, 2]), "real", None),
    ],
    ids=["no query", "none judged", "none to learn from", "no known unit", "nothing matches", "the encoder weighs"],
)
def test_where_there_is_nothing_to_learn_nothing_changes(judged, origin, weights):
    data, units = training_set(judged, origin)
    learner = student(weights=weights)
    assert fit_to_judged(learner, data, [np.array(each, dtype=np.int64) for each in units], spread=0.5) == {}
    assert weights is None or learner.weights.tolist() == pytest.approx(weights)


def test_many_units_and_a_weight_of_zero_stay_finite():
    data, units = training_set([("train", n % 5, [n % 5, (n + 1) % 5, LOUD, SPARE]) for n in range(40)])
    learner = student(loud=[50.0, 0.0, 0.0, 0.0, 0.0], weights=[1.0, 1e-9, 1.0, 30.0, 1.0, 1.5, 0.0])
    fit_to_judged(learner, data, units, spread=2.0)
    assert torch.isfinite(learner.weights).all() and (learner.weights >= 0).all()
