import numpy as np
import pytest

from kosparse.errors import InputError
from kosparse.evaluation.ranking import BestPassage, best, rank, read_trec, write_trec


def test_best_breaks_ties_by_position_and_agrees_with_a_full_sort():
    random = np.random.default_rng(0)
    for _ in range(50):
        scores = random.integers(0, 5, 40).astype(np.float32)
        expected = [position for position in np.argsort(-scores, kind="stable") if scores[position] > 0]
        for depth in (1, 7, 40, 100):
            assert best(scores, depth, above=0.0).tolist() == expected[:depth]


def test_negative_scores_are_results_unless_a_floor_is_given():
    scores = np.array([-2.0, -1.0], dtype=np.float32)
    assert best(scores, 5).tolist() == [1, 0]
    assert best(scores, 5, above=0.0).tolist() == []


def test_a_document_scores_as_its_best_passage_wherever_its_passages_stand():
    to_documents = BestPassage(["b", "a", "b", "c"])
    assert list(to_documents.ids) == ["a", "b", "c"]
    assert to_documents(np.array([[1.0, 5.0, 3.0, -1.0]], dtype=np.float32)).tolist() == [[5.0, 3.0, -1.0]]


def test_rank_covers_every_query_over_several_blocks():
    queries = [f"q{n}" for n in range(300)]
    scores = np.arange(300, dtype=np.float32)[:, None] - np.array([[150.0, 0.0]], dtype=np.float32)
    run = rank(queries, ["x", "y"], lambda block: scores[block], depth=1, above=0.0)
    assert list(run) == queries
    assert run["q0"] == []
    assert run["q200"] == [("y", 200.0)]


def test_without_passages_every_ranking_is_empty():
    assert rank(["q"], [], lambda block: np.zeros((1, 0), np.float32), depth=3) == {"q": []}


def test_a_run_file_reads_back_as_written(tmp_path):
    run = {"q1": [("d1", 0.1), ("d 2", 0.0625)], "q2": [("d1", 7.0)]}
    write_trec(tmp_path / "bm25.trec", run, "bm25")
    assert read_trec(tmp_path / "bm25.trec") == {"q1": [("d1", 0.1), ("d_2", 0.0625)], "q2": [("d1", 7.0)]}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("q1 Q0 d1 1 high bm25", "not a TREC run line"),
        ("q1 d1 0.5", "not a TREC run line"),
        ("q1 Q0 d1 1 2.0 bm25\nq1 Q0 d1 2 2.0 bm25", "stands twice"),
    ],
)
def test_a_bad_run_file_names_the_line(tmp_path, lines, message):
    (tmp_path / "bad.trec").write_text(lines, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_trec(tmp_path / "bad.trec")
    assert caught.value.where.endswith(f"bad.trec:{len(lines.splitlines())}")
