import gzip
import json

import pyarrow
import pytest
from pyarrow import parquet

from kosparse.errors import InputError
from kosparse.evaluation.judgements import read_qrels
from kosparse.evaluation.public_sets import Counted, write_collection

DOCUMENTS = [
    {"_id": "d1", "title": "서울", "text": "대한민국의 수도"},
    {"_id": "d2", "title": "", "text": "부산은 항구다"},
]
QUERIES = [{"_id": "q1", "text": "수도는 어디?"}, {"_id": "q2", "text": "훈련용 질의"}]
QRELS = [{"query-id": "q1", "corpus-id": "d1", "score": 1}]


def lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = gzip.open(path, "wt", encoding="utf-8") if path.suffix == ".gz" else open(path, "w", encoding="utf-8")
    with opened as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def beir(folder):
    lines(folder / "corpus.jsonl", DOCUMENTS)
    lines(folder / "queries.jsonl", QUERIES)
    lines(folder / "qrels" / "dev.jsonl", QRELS)


def beir_tsv(folder):
    lines(folder / "corpus.jsonl.gz", DOCUMENTS)
    lines(folder / "queries.jsonl", QUERIES)
    (folder / "qrels").mkdir()
    (folder / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n", encoding="utf-8")


def by_parts(folder):
    for part, rows in (("ko-corpus/dev-0", DOCUMENTS), ("ko-queries/dev-0", QUERIES), ("ko-qrels/dev-0", QRELS)):
        path = folder / f"{part}.parquet"
        path.parent.mkdir()
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    (folder / "sw-corpus").mkdir()


def miracl(folder):
    lines(
        folder / "miracl-corpus-v1.0-ko" / "docs-0.jsonl.gz",
        [{"docid": row["_id"], "title": row["title"], "text": row["text"]} for row in DOCUMENTS],
    )
    for name, text in (("topics", "q1\t수도는 어디?\n"), ("qrels", "q1\tQ0\td1\t1\nq1\tQ0\td2\t0\n")):
        path = folder / name / f"{name}.miracl-v1.0-ko-dev.tsv"
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")


def read(folder):
    documents = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    return documents, queries, read_qrels(folder / "qrels" / "test.tsv")


@pytest.mark.parametrize(
    ("write", "prefix", "judged"), [(beir, "", 1), (beir_tsv, "", 1), (by_parts, "ko-", 1), (miracl, "", 2)]
)
def test_every_published_layout_becomes_the_same_collection(tmp_path, write, prefix, judged):
    (tmp_path / "given").mkdir()
    write(tmp_path / "given")

    counted = write_collection(tmp_path / "given", tmp_path / "read", "dev", prefix)

    documents, queries, qrels = read(tmp_path / "read")
    assert counted == Counted(documents=2, queries=1, judgements=judged)
    assert documents == DOCUMENTS
    assert queries == [{"_id": "q1", "text": "수도는 어디?"}], "queries that nothing is judged for are left out"
    assert (qrels[0].query_id, qrels[0].document_id, qrels[0].relevance) == ("q1", "d1", 1)


def test_korquads_paragraphs_are_the_documents_of_their_questions(tmp_path):
    paragraphs = [
        {"context": "첫 문단", "qas": [{"id": "a", "question": "하나?"}, {"id": "b", "question": "둘?"}]},
        {"context": "둘째 문단", "qas": [{"id": "c", "question": "셋?"}]},
    ]
    file = tmp_path / "KorQuAD_v1.0_dev.json"
    file.write_text(json.dumps({"data": [{"title": "제목", "paragraphs": paragraphs}]}), encoding="utf-8")

    assert write_collection(file, tmp_path / "read", "test") == Counted(2, 3, 3)

    documents, _, qrels = read(tmp_path / "read")
    assert documents[1] == {"_id": "0-1", "title": "제목", "text": "둘째 문단"}
    assert [(row.query_id, row.document_id) for row in qrels] == [("a", "0-0"), ("b", "0-0"), ("c", "0-1")]


def test_a_folder_of_something_else_is_told_what_was_looked_for(tmp_path):
    with pytest.raises(InputError, match=r"corpus.jsonl, queries.jsonl and qrels/dev.tsv"):
        write_collection(tmp_path, tmp_path / "read", "dev")


def test_a_file_cut_off_is_named(tmp_path):
    beir(tmp_path)
    (tmp_path / "corpus.jsonl").unlink()
    lines(tmp_path / "corpus.jsonl.gz", DOCUMENTS)
    (tmp_path / "corpus.jsonl.gz").write_bytes((tmp_path / "corpus.jsonl.gz").read_bytes()[:-12])
    with pytest.raises(InputError, match=r"corpus.jsonl.gz"):
        write_collection(tmp_path, tmp_path / "read", "dev")


@pytest.mark.parametrize("text", ["[1]", '{"data": [{"paragraphs": [{"qas": []}]}]}', "{"])
def test_what_is_not_korquad_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="KorQuAD"):
        write_collection(tmp_path / "a.json", tmp_path / "read", "test")


def test_a_judgement_without_a_document_is_shown(tmp_path):
    beir(tmp_path)
    lines(tmp_path / "qrels" / "dev.jsonl", [{"query-id": "q1", "score": 1}])
    with pytest.raises(InputError, match="a row without corpus-id"):
        write_collection(tmp_path, tmp_path / "read", "dev")
