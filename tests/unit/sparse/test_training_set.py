from collections import Counter

import numpy as np

from kosparse.config import TrainSparseConfig
from kosparse.evaluation.judgements import Judgements
from kosparse.records import Passage
from kosparse.sparse.batches import Batches
from kosparse.sparse.negatives import bm25_over
from kosparse.sparse.training_set import real_training_queries, summarise
from tests.fakes.tiny_training import tiny_training_set

PASSAGES = [
    Passage(id="calc#0", document_id="calc", position=0, text="스프레드시트를 인쇄합니다."),
    Passage(id="calc#1", document_id="calc", position=1, text="셀 보호를 켭니다."),
    Passage(id="draw#0", document_id="draw", position=0, text="선을 그립니다."),
]


def test_a_real_query_learns_the_best_passage_of_each_relevant_document():
    judged = Judgements({"q1": "셀 보호"}, {"q1": {"calc": 1, "draw": 2}}, "real", "train", {})

    rows = real_training_queries(judged, PASSAGES, bm25_over(PASSAGES), "train")

    assert [(row.passage_id, row.group, row.split) for row in rows] == [
        ("calc#1", "real", "train"),
        ("draw#0", "real", "train"),
    ]
    assert len({row.id for row in rows}) == 2


def test_what_is_judged_irrelevant_is_not_learnt():
    judged = Judgements({"q1": "셀"}, {"q1": {"calc": 1, "draw": 0}}, "real", "train", {})
    assert [row.passage_id for row in real_training_queries(judged, PASSAGES, bm25_over(PASSAGES), "train")] == [
        "calc#1"
    ]


def test_a_batch_holds_the_wanted_shares():
    data = tiny_training_set([f"문서 {n}" for n in range(120)])
    origins = ["real", "document_to_query", "pseudo"]
    queries = [
        query.model_copy(update={"origin": origins[n % 3], "split": "train"}) for n, query in enumerate(data.queries)
    ]
    data.queries[:] = queries
    config = TrainSparseConfig(batch_size=16, real_share=0.5, synthetic_share=0.25)
    batches = Batches(config, data, [np.array([1])] * len(queries))

    groups = Counter(queries[row].group for row in batches.draw().queries)

    assert groups == {"real": 8, "synthetic": 2, "pseudo": 6}


def test_a_group_that_is_missing_leaves_its_places_to_the_others():
    data = tiny_training_set([f"문서 {n}" for n in range(60)])
    data.queries[:] = [
        query.model_copy(update={"origin": "real" if n % 2 else "augmented", "split": "train"})
        for n, query in enumerate(data.queries)
    ]
    config = TrainSparseConfig(batch_size=8, real_share=0.25, synthetic_share=0.1)
    batches = Batches(config, data, [np.array([1])] * len(data.queries))
    assert Counter(data.queries[row].group for row in batches.draw().queries) == {"real": 2, "synthetic": 6}


def test_where_there_are_judged_queries_to_validate_on_no_other_is_held_out():
    data = tiny_training_set([f"문서 {n}" for n in range(60)])
    judged = [row for row, query in enumerate(data.queries) if query.split == "validation"][:3]
    units = [np.array([1])] * len(data.queries)
    synthetic = Batches(TrainSparseConfig(), data, units)
    assert len(synthetic.held_out.queries) == 12 and not synthetic.validates_on_real
    for row in judged:
        data.queries[row] = data.queries[row].model_copy(update={"origin": "real"})
    real = Batches(TrainSparseConfig(), data, units)
    assert real.held_out.queries == judged and real.validates_on_real
    assert summarise(data.queries, 60, 0, 0)["validation_kind"] == "real"


def test_counts_name_every_group():
    queries = tiny_training_set(["가", "나", "다"]).queries
    counts = summarise([queries[0].model_copy(update={"origin": "real"}), *queries[1:]], 3, 0, 0)
    assert (counts["real"], counts["synthetic"], counts["pseudo"]) == (1, 0, 2)
    assert counts["validation_kind"] == "real", "the first document's query is held out"
