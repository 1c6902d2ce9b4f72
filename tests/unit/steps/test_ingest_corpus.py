import json
import re
from pathlib import Path

import pytest

from kosparse.adapters import store_s3
from kosparse.corpus.splitting import split_of
from kosparse.errors import ConfigError, InputError
from kosparse.jsonl import read_json, read_records
from kosparse.records import AlignedText, Document, LoggedQuery, Passage, Query, Reject
from kosparse.steps.ingest_corpus import run

TEXT = "셀을 보호하려면 먼저 시트를 보호해야 합니다."


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))


def _lines(path: Path, rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def _ingest(tmp_path, corpus, queries="", qrels="", query_log="", **config):
    out = {name: tmp_path / "out" / name for name in run.outputs}
    given = {"corpus": corpus, "queries": queries, "qrels": qrels, "query_log": query_log}
    metrics = run(config=config, **{name: str(value) for name, value in given.items()}, **out)
    return metrics, out


def _documents(count, **fields):
    return [{"_id": f"d{number}", "text": f"{TEXT} {number}번", **fields} for number in range(count)]


def _beir(folder):
    _lines(folder / "corpus.jsonl", _documents(4, title="제목", date="2024-05-01"))
    _lines(folder / "queries.jsonl", [{"_id": "q", "text": "셀 보호"}])
    _lines(folder / "parallel.jsonl", [{"ko": "셀", "en": "cell", "source": "block"}, {"ko": "표"}])
    (folder / "qrels").mkdir()
    (folder / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td1\t1\n")
    return folder


def _bars(page, heading):
    """The bars below a heading of the data sheet: label -> number."""
    section = page.split(f"<h2>{heading} ")[1].split("</section>")[0]
    labels, numbers = (re.findall(rf'<span class="{name}">(.*?)</span>', section) for name in ("label", "n"))
    return dict(zip(labels, numbers, strict=True))


def test_the_data_sheet_says_what_the_collection_holds(tmp_path):
    rows = [*_documents(3, lang="ko", date="2024-05-01"), {"_id": "e", "text": f"{TEXT} 3번", "lang": "ko-KR"}]
    rows += [{"_id": "f", "text": f"{TEXT} 2번!", "date": "2024-06-30"}]
    rows += [{"_id": "g", "text": f"{TEXT} 문의는 010-1234-5678", "date": "내일"}, {"_id": "h", "text": ""}]
    _, out = _ingest(tmp_path, _lines(tmp_path / "my.jsonl", rows), max_bad_share=0.5)
    page = out["datasheet"].read_text(encoding="utf-8")

    facts = re.findall(r"<div><b>(.*?)</b>(.*?)</div>", page)
    assert [number for number, _ in facts] == ["6", "6", "31", "100%", "1", "0"]  # (4 x 28 + 29 + 44) / 6 characters
    assert facts[0][1] == "문서 documents" and facts[4][1] == "뺀 행 rows left out, of 7"
    assert _bars(page, "문자") == {"Hangul": "6"}
    assert _bars(page, "언어") == {"ko": "3", "ko-KR": "1"}
    assert _bars(page, "길이") == {"0–50": "6"}
    assert _bars(page, "날짜") == {"2024-05": "3", "2024-06": "1"}
    assert "2024-05-01 – 2024-06-30; 4 dated; 1 dates could not be read" in page
    assert _bars(page, "중복") == {"똑같음 exact": "1", "거의 같음 near": "0"}
    assert _bars(page, "개인정보") == {"phone": "1"}
    assert "files: 1 .jsonl" in page and "encodings: utf-8 7" in page and "text ← text" in page
    assert _bars(page, "뺀 이유") == {"no_text": "1"} and "my.jsonl:7 · no_text" in page
    assert f"SHA-256 {read_json(out['corpus_summary'])['sha256']}" in page
    assert "010-1234-5678" not in page


def test_columns_that_were_guessed_are_shown_to_the_person_watching(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(f"번호,제목,본문\nd1,셀,{TEXT}\n", encoding="utf-8")
    _ingest(tmp_path, table)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert "columns: _id from 번호, title from 제목, text from 본문" in notes
    _ingest(tmp_path, _lines(tmp_path / "plain.jsonl", _documents(1)))
    events = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()[len(events) :]
    assert not any("columns" in line for line in events)  # names that need no guess


def test_a_beir_folder_becomes_documents_passages_and_an_evaluation_set(tmp_path):
    metrics, out = _ingest(tmp_path, _beir(tmp_path / "beir"))
    assert metrics == {
        "documents": 4.0,
        "passages": 4.0,
        "rejected": 1.0,
        "queries": 1.0,
        "test_queries": 1.0,
        "judgements": 1.0,
        "parallel": 1.0,
        "logged_queries": 0.0,
    }
    assert next(read_records(out["documents"], Document)).title == "제목"
    assert next(read_records(out["passages"], Passage)).text == f"제목\n{TEXT} 0번"
    assert list(read_records(out["evaluation"] / "queries.jsonl", Query)) == [Query(id="q", text="셀 보호")]
    assert (out["evaluation"] / "qrels/test.tsv").read_text().endswith("q\td1\t1\n")
    assert list(read_records(out["parallel"], AlignedText)) == [AlignedText(ko="셀", en="cell", source="block")]
    (reject,) = read_records(out["rejects"], Reject)
    assert reject.reason == "bad_parallel" and reject.where.endswith("parallel.jsonl:2")
    summary = read_json(out["corpus_summary"])
    assert (summary["documents"], summary["has_dates"], summary["rejected_by_reason"]) == (4, True, {"bad_parallel": 1})


def test_a_file_without_queries_has_an_empty_evaluation_set(tmp_path):
    metrics, out = _ingest(tmp_path, _lines(tmp_path / "my.jsonl", _documents(3)))
    assert (metrics["documents"], metrics["queries"]) == (3.0, 0.0)
    assert (out["evaluation"] / "queries.jsonl").read_text() == ""
    assert (out["evaluation"] / "qrels/train.tsv").read_text() == "query-id\tcorpus-id\tscore\n"
    assert out["parallel"].read_text() == ""


def test_queries_given_beside_a_file_are_split_by_document(tmp_path):
    corpus = _lines(tmp_path / "my.jsonl", _documents(3))
    queries = _lines(tmp_path / "q.jsonl", [{"_id": "q", "text": "셀 보호"}])
    qrels = tmp_path / "q.tsv"
    qrels.write_text("q 0 d2 1\n")
    _, out = _ingest(tmp_path, corpus, queries, qrels)
    assert "q\td2\t1" in (out["evaluation"] / f"qrels/{split_of('d2')}.tsv").read_text()


def test_bad_rows_are_rejected_with_file_and_line_and_the_run_goes_on(tmp_path):
    rows = [*_documents(19), {"_id": "bad", "text": "\x00" + TEXT}]
    metrics, out = _ingest(tmp_path, _lines(tmp_path / "my.jsonl", rows))
    (reject,) = read_records(out["rejects"], Reject)
    assert (reject.where, reject.reason) == (f"{tmp_path}/my.jsonl:20", "control_characters")
    assert (metrics["documents"], metrics["rejected"]) == (19.0, 1.0)


def test_too_many_bad_rows_stop_the_run_and_the_rejects_are_there(tmp_path):
    with pytest.raises(InputError, match="2 of 4 rows"):
        _ingest(tmp_path, _lines(tmp_path / "my.jsonl", [*_documents(2), {"_id": "a"}, {"_id": "b"}]))
    assert len(list(read_records(tmp_path / "out/rejects", Reject))) == 2


def test_long_documents_are_cut(tmp_path):
    corpus = _lines(tmp_path / "my.jsonl", [{"_id": "long", "text": f"{TEXT}\n" * 40}])
    metrics, out = _ingest(tmp_path, corpus, passage_characters=200)
    passages = list(read_records(out["passages"], Passage))
    assert metrics["passages"] == len(passages) > 1
    assert all(len(passage.text) <= 200 for passage in passages)


def test_a_sample_of_the_documents_keeps_only_their_judgements(tmp_path):
    metrics, out = _ingest(tmp_path, _lines(tmp_path / "my.jsonl", _documents(30)), max_documents=7)
    assert metrics["documents"] == 7.0 and metrics["rejected"] == 0.0
    assert len(list(read_records(out["documents"], Document))) == 7


def test_the_same_corpus_gives_the_same_bytes(tmp_path):
    folder = _beir(tmp_path / "beir")
    _, first = _ingest(tmp_path / "1", folder)
    _, second = _ingest(tmp_path / "2", folder)
    for name in ("documents", "passages", "parallel", "rejects", "corpus_summary"):
        assert first[name].read_bytes() == second[name].read_bytes()


@pytest.mark.parametrize("corpus", ["", "/nowhere/at/all.jsonl"])
def test_a_corpus_that_is_not_there_is_named(tmp_path, corpus):
    with pytest.raises(InputError) as caught:
        _ingest(tmp_path, corpus)
    assert "CORPUS" in caught.value.fix


class FakeStore:
    """A bucket that holds the files of a folder."""

    def __init__(self, folder):
        self.folder = folder

    def download(self, bucket, key, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((self.folder / bucket / key).read_bytes())

    def fetch_folder(self, bucket, prefix, folder):
        root = self.folder / bucket / prefix
        files = [path for path in root.rglob("*") if path.is_file()]
        for path in files:
            self.download(bucket, str(path.relative_to(self.folder / bucket)), folder / path.relative_to(root))
        return len(files)


def test_a_folder_in_the_object_store_is_read_and_known_by_its_address(tmp_path, monkeypatch):
    monkeypatch.setattr(store_s3, "open_store", lambda: FakeStore(tmp_path))
    _beir(tmp_path / "bucket" / "my" / "beir")
    metrics, out = _ingest(tmp_path, "s3://bucket/my/beir/")
    assert (metrics["documents"], metrics["queries"]) == (4.0, 1.0)
    (reject,) = read_records(out["rejects"], Reject)
    assert reject.where == "s3://bucket/my/beir/parallel.jsonl:2"


def test_a_file_in_the_object_store_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(store_s3, "open_store", lambda: FakeStore(tmp_path))
    _lines(tmp_path / "bucket/my.jsonl", _documents(2))
    assert _ingest(tmp_path, "s3://bucket/my.jsonl")[0]["documents"] == 2.0


def test_an_empty_address_in_the_object_store_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(store_s3, "open_store", lambda: FakeStore(tmp_path))
    with pytest.raises(InputError, match="nothing below this address"):
        _ingest(tmp_path, "s3://bucket/none")


def test_an_object_store_that_is_not_set_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.delenv("S3_ENDPOINT", raising=False)
    with pytest.raises(ConfigError, match="S3_ENDPOINT"):
        _ingest(tmp_path, "s3://bucket/my.jsonl")


def test_what_people_typed_is_read_and_evaluation_queries_are_left_out_of_it(tmp_path):
    folder = tmp_path / "corpus"
    _beir(folder)
    log = tmp_path / "log.csv"
    log.write_text("query,count\n셀 보호,40\n시트 암호,3\n열 너비,7\n,1\n", encoding="cp949")

    metrics, out = _ingest(tmp_path, folder, query_log=log)

    logged = list(read_records(out["logged"], LoggedQuery))
    assert [(row.id, row.text, row.count) for row in logged] == [("log/0", "열 너비", 7), ("log/1", "시트 암호", 3)]
    assert metrics["logged_queries"] == 2
    assert {row.reason for row in read_records(out["rejects"], Reject)} >= {"evaluation_query", "empty_query"}
    told = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    assert "the query log: not UTF-8, read all the same: 3 lines cp949" in told


def test_without_a_log_there_are_no_logged_queries(tmp_path):
    _, out = _ingest(tmp_path, _lines(tmp_path / "c.jsonl", _documents(2)))
    assert out["logged"].read_text() == ""
