import pytest

from kosparse.errors import InputError
from kosparse.evaluation.judgements import held_out_synthetic, load_real, read_qrels
from kosparse.jsonl import write_records
from kosparse.records import Qrel, Query


def _folder(tmp_path, lines, queries=("q1", "q2")):
    write_records(tmp_path / "queries.jsonl", (Query(id=name, text=f"text of {name}") for name in queries))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("header", [["query-id\tcorpus-id\tscore"], []])
def test_qrels_are_read_with_or_without_the_header(tmp_path, header):
    folder = _folder(tmp_path, [*header, "q1\td1\t1", "q1\td2\t0"])
    assert read_qrels(folder / "qrels" / "test.tsv") == [
        Qrel(query_id="q1", document_id="d1", relevance=1),
        Qrel(query_id="q1", document_id="d2", relevance=0),
    ]


@pytest.mark.parametrize("line", ["q1\td1", "q1 d1 1", "q1\td1\thigh"])
def test_a_bad_line_is_named(tmp_path, line):
    folder = _folder(tmp_path, ["query-id\tcorpus-id\tscore", line])
    with pytest.raises(InputError, match="not a relevance judgement") as caught:
        read_qrels(folder / "qrels" / "test.tsv")
    assert caught.value.where.endswith("test.tsv:2")


def test_what_cannot_be_used_is_counted_by_reason(tmp_path):
    lines = ["q1\td1\t1", "q1\tgone\t1", "nobody\td1\t1", "q2\td1\t0"]
    judged = load_real(_folder(tmp_path, lines), "test", ["d1"])
    assert judged.queries == {"q1": "text of q1"} and judged.qrels == {"q1": {"d1": 1}}
    assert judged.kind == "real" and judged.count == 1
    assert judged.left_out == {"unknown document": 1, "unknown query": 1, "no relevant document": 1}


def test_of_two_judgements_of_one_document_the_first_counts_and_the_second_is_counted(tmp_path):
    lines = ["q1\td1\t2", "q1\td1\t0", "q2\td1\t1", "q1\td1\t2"]
    judged = load_real(_folder(tmp_path, lines), "test", ["d1"])
    assert judged.qrels == {"q1": {"d1": 2}, "q2": {"d1": 1}}
    assert judged.count == 2 and judged.left_out == {"duplicate judgement": 2}


@pytest.mark.parametrize("lines", [["query-id\tcorpus-id\tscore"], []])
def test_a_split_without_judgements_has_no_real_queries(tmp_path, lines):
    folder = _folder(tmp_path, lines)
    assert load_real(folder, "test", ["d1"]) is None
    assert load_real(folder, "validation", ["d1"]) is None


def test_held_out_synthetic_queries_are_marked_and_need_a_document_of_the_collection():
    qrels = [Qrel(query_id="s1", document_id="d1"), Qrel(query_id="s2", document_id="synthetic/1")]
    judged = held_out_synthetic({"s1": "질의", "s2": "다른 질의"}, qrels, ["d1"], "validation")
    assert judged.kind == "held-out synthetic"
    assert judged.queries == {"s1": "질의"} and judged.left_out == {"unknown document": 1}


def test_nothing_at_all_to_evaluate_on_is_an_error():
    with pytest.raises(InputError, match="nothing to evaluate on"):
        held_out_synthetic({}, [], ["d1"], "validation")
