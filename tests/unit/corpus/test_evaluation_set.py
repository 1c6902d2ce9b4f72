import json

import pytest

from kosparse.corpus.evaluation_set import read_evaluation
from kosparse.corpus.readers import Collection, Location
from kosparse.corpus.splitting import split_of
from kosparse.errors import InputError


def _document(split):
    return next(name for name in (f"doc{number}" for number in range(1000)) if split_of(name) == split)


TEST, VALIDATION, TRAIN = _document("test"), _document("validation"), _document("train")
DOCUMENTS = {TEST, VALIDATION, TRAIN}


def _collection(tmp_path, queries, qrels):
    path = tmp_path / "queries.jsonl"
    path.write_text("".join(json.dumps({"_id": name, "text": f"질의 {name}"}) + "\n" for name in queries))
    files = {}
    for split, lines in qrels.items():
        table = tmp_path / f"{split or 'all'}.tsv"
        table.write_text("query-id\tcorpus-id\tscore\n" + "".join(line + "\n" for line in lines))
        files[split] = Location(table, table.name)
    return Collection(Location(tmp_path, "corpus"), Location(path, path.name), files, None)


def _reasons(found):
    return [(reject.reason, reject.where) for reject in found.rejects]


def test_without_queries_everything_is_empty_but_there(tmp_path):
    found = read_evaluation(Collection(Location(tmp_path, "corpus"), None, {}, None), DOCUMENTS)
    found.write(tmp_path / "evaluation")
    assert (tmp_path / "evaluation/queries.jsonl").read_text() == ""
    for split in ("train", "validation", "test"):
        assert (tmp_path / f"evaluation/qrels/{split}.tsv").read_text() == "query-id\tcorpus-id\tscore\n"


def test_judgements_of_no_split_are_split_by_document(tmp_path):
    lines = [f"a\t{TEST}\t1", f"b\t{TRAIN}\t2", f"c\t{TEST}\t1", f"c\t{TRAIN}\t1", f"d\t{VALIDATION}\t1"]
    found = read_evaluation(_collection(tmp_path, "abcd", {"": lines}), DOCUMENTS)
    assert {split: [qrel.query_id for qrel in qrels] for split, qrels in found.qrels.items()} == {
        "test": ["a"],
        "train": ["b"],
        "validation": ["d"],
    }
    assert ("straddles_test", "c") in _reasons(found)
    assert list(found.queries) == ["a", "b", "d"]


def test_a_document_judged_not_relevant_does_not_decide_the_split(tmp_path):
    lines = [f"a\t{TEST}\t1", f"a\t{TRAIN}\t0"]
    found = read_evaluation(_collection(tmp_path, "a", {"": lines}), DOCUMENTS)
    assert [(qrel.document_id, qrel.relevance) for qrel in found.qrels["test"]] == [(TEST, 1), (TRAIN, 0)]


def test_files_named_by_split_are_used_as_they_are(tmp_path):
    found = read_evaluation(
        _collection(tmp_path, "ab", {"test": [f"a\t{TRAIN}\t1"], "train": [f"b\t{TEST}\t1"]}), DOCUMENTS
    )
    assert found.qrels["test"][0].document_id == TRAIN
    assert (found.queries_in("test"), found.queries_in("validation"), found.judgements) == (1, 0, 2)


def test_trec_columns_are_understood(tmp_path):
    found = read_evaluation(_collection(tmp_path, "a", {"test": [f"a 0 {TEST} 3"]}), DOCUMENTS)
    assert found.qrels["test"][0].relevance == 3


def test_what_cannot_be_used_is_rejected_with_its_line(tmp_path):
    lines = [
        f"a\t{TEST}\t1",
        f"a\t{TEST}\t1",
        f"x\t{TEST}\t1",
        "a\tnone\t1",
        "a\t1",
        f"a\t{TEST}\tyes",
        f"b\t{TEST}\t0",
    ]
    found = read_evaluation(_collection(tmp_path, "ab", {"test": lines}), DOCUMENTS)
    assert _reasons(found) == [
        ("duplicate_judgement", "test.tsv:3"),
        ("unknown_query", "test.tsv:4"),
        ("unknown_document", "test.tsv:5"),
        ("bad_judgement", "test.tsv:6"),
        ("bad_judgement", "test.tsv:7"),
        ("no_judgement", "b"),
    ]
    assert found.judgements == 1


def test_queries_are_checked_like_documents(tmp_path):
    collection = _collection(tmp_path, "aa", {"test": [f"a\t{TEST}\t1"]})
    with open(collection.queries.path, "a") as file:
        file.write('{"_id": "n"}\nnot json\n')
    assert [reason for reason, _ in _reasons(read_evaluation(collection, DOCUMENTS))] == [
        "duplicate_query_id",
        "no_text",
        "not_json",
    ]


def test_queries_that_all_lead_nowhere_stop_the_run(tmp_path):
    with pytest.raises(InputError, match="none of the 1 queries"):
        read_evaluation(_collection(tmp_path, "a", {"test": ["a\tother-id\t1"]}), DOCUMENTS)


def test_what_is_written_is_what_was_read(tmp_path):
    read_evaluation(_collection(tmp_path, "a", {"": [f"a\t{TEST}\t2"]}), DOCUMENTS).write(tmp_path / "out")
    assert (tmp_path / "out/qrels/test.tsv").read_text() == f"query-id\tcorpus-id\tscore\na\t{TEST}\t2\n"
    assert json.loads((tmp_path / "out/queries.jsonl").read_text()) == {"id": "a", "text": "질의 a"}
