"""What was reported is measured once more, from weights alone."""

import pytest

from kosparse.errors import InputError
from kosparse.evaluation.reproduction import reproduce
from kosparse.evaluation.results import QueryResult
from kosparse.evaluation.review import Measured
from kosparse.records import Passage
from tests.unit.evaluation.test_review import measured

PASSAGES = [
    Passage(id="a#0", document_id="a", position=0, text="셀 보호"),
    Passage(id="b#0", document_id="b", position=0, text="표"),
    Passage(id="b#1", document_id="b", position=1, text="셀 셀 셀"),
]


def encode(texts, kind):
    """Each word weighs as often as it stands there."""
    return [{word: float(text.split().count(word)) for word in text.split()} for text in texts]


def version(*values, passages=3):
    """Two queries: 보호 is answered by a alone; 셀 by b, whose second passage beats a's one."""
    found = measured("7", list(values))
    rows = [("보호", {"a": 1}), ("셀", {"a": 1})]
    queries = {
        f"q{place}": QueryResult(
            query_id=f"q{place}", query=text, relevant=relevant, systems={"sparse": {"ndcg@10": value}}, first={}
        )
        for place, ((text, relevant), value) in enumerate(zip(rows, values, strict=True))
    }
    return Measured("7", found.results.model_copy(update={"passages": passages}), queries)


def test_the_values_are_those_of_the_ranking_by_best_passage():
    # q0 finds a first: 1. q1 finds b (3) before a (1): 1 / log2(3) = .6309.
    found = reproduce(version(1.0, 0.6309), PASSAGES, encode)
    assert found.means["ndcg@10"] == (pytest.approx(0.81545), pytest.approx(0.81546, abs=1e-5))
    assert (found.changed, found.queries) == (0, 2) and abs(found.difference) < 1e-4


def test_a_query_that_was_reported_otherwise_is_counted():
    found = reproduce(version(1.0, 1.0), PASSAGES, encode)
    assert found.changed == 1
    assert found.difference == pytest.approx((1 + 0.63093) / 2 - 1, abs=1e-4)


def test_passages_that_were_not_measured_on_are_refused():
    with pytest.raises(InputError, match="there are 3 passages, 4 were measured on"):
        reproduce(version(1.0, 1.0, passages=4), PASSAGES, encode)
