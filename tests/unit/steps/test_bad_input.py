"""What people hand in by mistake or malice, one by one, each with what it is told."""

import gzip
import json
import multiprocessing
import os
import tracemalloc
from pathlib import Path

import pyarrow
import pytest
import zstandard
from pyarrow import parquet

from kosparse.config import GenerateQueriesConfig
from kosparse.corpus import lines, tables
from kosparse.corpus.duplicates import Duplicates
from kosparse.corpus.locations import Location
from kosparse.corpus.seen import Seen
from kosparse.errors import ConfigError, InputError, ResourceError
from kosparse.jsonl import read_json, read_records, write_lines
from kosparse.records import Document, Reject
from kosparse.steps.ingest_corpus import run

TEXT = "셀을 보호하려면 먼저 시트를 보호해야 합니다."
GOOD = "".join(json.dumps({"_id": f"d{n}", "text": f"{TEXT} {n}번"}, ensure_ascii=False) + "\n" for n in range(30))


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))


@pytest.fixture
def ingest(tmp_path):
    """Ingest bytes, text or a path; return the documents' ids, and the rejects."""

    def ingested(content, name="my.jsonl", **config):
        path = content
        if not isinstance(content, Path):
            path = tmp_path / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        out = {name: tmp_path / "out" / name for name in run.outputs}
        run(config=config, corpus=str(path), queries="", qrels="", query_log="", **out)
        documents = [document.id for document in read_records(out["documents"], Document)]
        return documents, list(read_records(out["rejects"], Reject))

    return ingested


def refused(ingest, what, content, **given):
    """Ingesting it is refused in these words; return what to do."""
    with pytest.raises(InputError, match=what) as caught:
        ingest(content, **given)
    assert caught.value.where and caught.value.exit_code == 2
    return caught.value.fix


def one_reject(ingest, reason, content, **given):
    """One row is left out, for this reason; the other thirty documents are kept."""
    documents, (reject,) = ingest(content, **given)
    assert len(documents) == 30 and reject.reason == reason
    return reject


def test_wrong_columns(ingest):
    fix = refused(ingest, "no column is called text; there are 이름, 나이", "이름,나이\n가,1\n", name="t.csv")
    assert "ingest_corpus.columns=text:이름" in fix
    rows = "".join(f"d{n},{TEXT} {n}\n" for n in range(30))
    reject = one_reject(ingest, "wrong_columns", f"id,text\n{rows}a,b,c\n", name="t.csv")
    assert reject.where.endswith("t.csv:32") and reject.detail == "3 cells, the heading has 2"


def test_duplicate_ids(ingest):
    reject = one_reject(ingest, "duplicate_id", GOOD + json.dumps({"_id": "d3", "text": TEXT}))
    assert reject.detail.endswith("my.jsonl:4") and reject.where.endswith("my.jsonl:31")


def test_what_the_settings_leave_out_is_named_by_its_line(ingest):
    again = json.dumps({"_id": "x", "text": f"{TEXT} 3번!"}, ensure_ascii=False)
    assert one_reject(ingest, "duplicate_text", GOOD + again, duplicates="drop").where.endswith("my.jsonl:31")
    caller = json.dumps({"_id": "x", "text": f"{TEXT} 문의 010-1234-5678"}, ensure_ascii=False)
    assert one_reject(ingest, "personal_data", GOOD + caller, personal_data="drop").where.endswith("my.jsonl:31")


def test_ids_with_slashes_and_dots_are_names_not_paths(ingest, tmp_path):
    row = json.dumps({"_id": "../../etc/passwd", "text": TEXT})
    documents, rejects = ingest(row)
    assert documents == ["../../etc/passwd"] and rejects == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl", "my.jsonl", "out"]


def test_bytes_that_are_no_text(ingest):
    reject = one_reject(ingest, "unknown_encoding", GOOD.encode() + b'{"_id": "x", "text": "\x80\x81\xff"}\n')
    assert "neither UTF-8 nor CP949" in reject.detail


def test_nul_and_control_characters(ingest):
    for character in "\x00\x07":
        reject = one_reject(ingest, "control_characters", GOOD + json.dumps({"_id": "x", "text": TEXT + character}))
        assert reject.where.endswith("my.jsonl:31") and "control characters" in reject.detail


def test_a_line_of_fifty_megabytes(ingest):
    huge = b'{"_id": "x", "text": "' + b"a" * 50_000_000 + b'"}\n'
    reject = one_reject(ingest, "line_too_long", huge + GOOD.encode())
    assert reject.where.endswith(":1") and len(reject.row["line"]) == 200


def test_an_unclosed_quote_loses_its_own_row_only(ingest):
    rows = [f'd{n},"{TEXT} {n}"\n' for n in range(30)]
    content = "id,text\n" + "".join(rows[:9]) + f'x,"{TEXT}\n' + "".join(rows[9:])
    assert one_reject(ingest, "unclosed_quote", content, name="t.csv").where.endswith("t.csv:11")
    content = "id,text\n" + "".join(rows).replace('"', "") + f'x,"{TEXT}\n'
    assert one_reject(ingest, "unclosed_quote", content, name="t.csv").where.endswith("t.csv:32")


@pytest.mark.parametrize("content", ["", "\n\n", " \n\t\n"])
def test_an_empty_file(ingest, content):
    assert "one document per line" in refused(ingest, "the corpus is empty", content)


def test_a_folder_instead_of_a_file(ingest, tmp_path):
    (tmp_path / "my.jsonl").mkdir()
    assert ".jsonl, .ndjson" in refused(ingest, "holds no documents; it holds nothing", tmp_path / "my.jsonl")


def test_a_symbolic_link_out_of_the_folder(ingest, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text(TEXT * 3, encoding="utf-8")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.jsonl").write_text(GOOD, encoding="utf-8")
    (folder / "link.txt").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    assert one_reject(ingest, "link_out_of_folder", folder).detail == str(secret)


def test_a_zip_bomb(ingest, monkeypatch):
    monkeypatch.setattr(lines, "EXPANSION_GRACE", 1 << 20)
    for pack in (gzip.compress, zstandard.compress):
        fix = refused(
            ingest, "unpacks to more than 200 times its size", pack((b"0" * 999 + b"\n") * 8000), name="bomb.jsonl"
        )
        assert "zip bomb" in fix


def test_a_small_file_may_unpack_to_much(ingest):
    rows = "".join(json.dumps({"_id": f"d{n}", "text": TEXT * 40}, ensure_ascii=False) + "\n" for n in range(120))
    packed = zstandard.compress(rows.encode())
    assert len(rows.encode()) > 200 * len(packed)  # within the first 64 MB nobody asks
    assert len(ingest(packed, name="my.jsonl.zst")[0]) == 120


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_compressed_file_that_is_cut_off(ingest, pack):
    assert "Copy the file again" in refused(ingest, "cut off, after", pack(GOOD.encode())[:-9], name="my.jsonl.gz")


def test_a_compressed_file_that_is_damaged(ingest):
    packed = bytearray(gzip.compress(GOOD.encode()))
    packed[40:60] = b"\xff" * 20
    assert refused(ingest, "the compressed file is damaged", bytes(packed), name="my.jsonl.gz")


def test_parquet_that_is_cut_off(ingest, tmp_path):
    parquet.write_table(pyarrow.table({"id": ["a"], "text": [TEXT]}), tmp_path / "whole.parquet")
    cut = (tmp_path / "whole.parquet").read_bytes()[:-20]
    assert refused(ingest, "not a whole Parquet file", cut, name="cut.parquet")


def _parquet(path, texts, **written):
    parquet.write_table(pyarrow.table({"id": [f"d{n}" for n in range(len(texts))], "text": texts}), path, **written)
    return path


def test_a_parquet_bomb(ingest, tmp_path, monkeypatch):
    bomb = _parquet(tmp_path / "bomb.parquet", [TEXT * 200] * 200, use_dictionary=False, compression="zstd")
    assert len(list(tables.read_parquet(Location(bomb, "bomb")))) == 200  # within the first 64 MB nobody asks
    monkeypatch.setattr(tables, "EXPANSION_GRACE", 1 << 20)
    assert "zip bomb" in refused(ingest, "unpacks to more than 200 times its size", bomb)
    monkeypatch.setattr(tables, "MAX_EXPANSION", 10**9)
    monkeypatch.setattr(tables, "MAX_ROW_GROUP_BYTES", 1 << 20)
    assert "smaller row groups" in refused(ingest, "a row group unpacks to 0.0 GB, 0.0 GB is the most", bomb)


@pytest.fixture
def pool():
    """What Arrow allocates from."""
    usual = pyarrow.default_memory_pool()
    counting = pyarrow.proxy_memory_pool(usual)
    pyarrow.set_memory_pool(counting)
    yield counting
    pyarrow.set_memory_pool(usual)


def test_a_cell_of_parquet_that_is_no_document(ingest, tmp_path, monkeypatch, pool):
    """The dictionary holds the text once; all rows of it together would be 99 MB."""
    monkeypatch.setattr(tables, "MAX_LINE_BYTES", 1 << 19)
    texts = ["a" * 1_000_000, *(f"{TEXT} {n}번" for n in range(30))]
    rows = pyarrow.DictionaryArray.from_arrays([0] * 99 + list(range(1, 31)), texts)
    bomb = _parquet(tmp_path / "bomb.parquet", rows, row_group_size=110)
    documents, rejects = ingest(bomb, max_bad_share=1.0)
    assert len(documents) == 30 and {reject.reason for reject in rejects} == {"line_too_long"}
    assert rejects[98].where.endswith("bomb.parquet:row 99") and len(rejects[0].row["line"]) == 200
    assert pool.max_memory() < 30_000_000


@pytest.mark.parametrize(
    ("start", "what"), [(b"PK\x03\x04", "a zip archive or an Office file"), (b"%PDF-1.7", "a PDF"), (b"BZh9", "bzip2")]
)
def test_other_formats_are_named(ingest, start, what):
    assert refused(ingest, what, start + b"rest")


def test_parquet_whose_text_is_no_utf8(ingest, tmp_path):
    wrong = pyarrow.array([TEXT.encode("cp949")], pyarrow.binary()).view(pyarrow.string())
    parquet.write_table(pyarrow.table({"id": ["a"], "text": wrong}), tmp_path / "wrong.parquet")
    assert refused(ingest, "not a whole Parquet file", tmp_path / "wrong.parquet")


def test_a_line_end_outside_quotes_loses_its_row(ingest):
    rows = "".join(f"d{n},{TEXT} {n}\n" for n in range(30))
    reject = one_reject(ingest, "not_csv", f"id,text\n{rows}x,a\rb\n", name="t.csv")
    assert reject.where.endswith("t.csv:32")


def test_one_json_array(ingest):
    assert "jq -c" in refused(ingest, "one JSON array", json.dumps([{"_id": "a", "text": TEXT}], indent=1))


def test_mixed_encodings_are_read_and_told(ingest, tmp_path):
    half = GOOD.splitlines(keepends=True)
    documents, rejects = ingest("".join(half[:20]).encode() + "".join(half[20:]).encode("cp949"))
    assert len(documents) == 30 and rejects == []
    assert read_json(tmp_path / "out/corpus_summary")["encodings"] == {"utf-8": 20, "cp949": 10}
    assert "10 lines cp949" in (tmp_path / "events.jsonl").read_text(encoding="utf-8")


def test_text_that_was_decoded_wrongly_is_mended_and_told(ingest, tmp_path):
    text = f"{TEXT} <script>alert(1)</script>"
    documents, rejects = ingest(GOOD + json.dumps({"_id": "x", "text": text.encode().decode("latin-1")}))
    assert documents[-1] == "x" and rejects == []
    summary = read_json(tmp_path / "out/corpus_summary")
    assert summary["mended"] == 1 and summary["mended_examples"][0]["after"] == text
    page = (tmp_path / "out/datasheet").read_text(encoding="utf-8")
    assert f"{TEXT} &lt;script&gt;" in page and "<script" not in page


def test_documents_without_korean(ingest):
    row = json.dumps({"_id": "a", "text": "Nothing in here is written in Korean."})
    assert "min_hangul_share" in refused(ingest, "there is no Korean in it", row)


def test_documents_of_white_space(ingest):
    assert refused(ingest, "no_text 1", json.dumps({"_id": "a", "text": " \u3000\n\t "}))


def test_one_document_is_a_collection(ingest):
    assert ingest(GOOD.splitlines()[0]) == (["d0"], [])


def _peak(ingest, count):
    tracemalloc.start()
    with pytest.raises(InputError, match=f"{count:,} of {count:,} rows cannot be used.*too_short {count:,}"):
        ingest("".join(f'{{"_id": "{n}", "text": "셀"}}\n' for n in range(count)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_millions_of_one_word_documents_take_no_more_memory_than_thousands(ingest):
    """Two million, measured: ``python -m benchmarks.bench_ingest``."""
    _peak(ingest, 100)
    few = _peak(ingest, 200)
    assert _peak(ingest, 1500) - few < 500_000  # 1,300 rejects held would take 3 MB


def test_no_read_permission(ingest, tmp_path, monkeypatch):
    def refuse(*given, **more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(lines, "open", refuse, raising=False)
    assert "permissions" in refused(ingest, "cannot read: .*Permission denied", GOOD)


def test_a_file_of_a_folder_that_cannot_be_read_is_left_out(ingest, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.jsonl").write_text(GOOD, encoding="utf-8")
    os.mkfifo(folder / "b.txt")  # whoever opened it would wait for ever
    reject = one_reject(ingest, "unreadable", folder)
    assert reject.where.endswith("b.txt") and "no regular file" in reject.detail


def test_a_full_disk(ingest, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / f"out/documents.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(ResourceError, match="No space left") as caught:
        ingest(GOOD)
    assert caught.value.exit_code == 4 and "Free disk space" in caught.value.fix
    assert not (tmp_path / "out/documents").exists()


def test_a_full_disk_while_documents_are_compared(tmp_path):
    seen = Seen(tmp_path / "seen.sqlite")
    seen.execute("PRAGMA max_page_count = 40")  # no page more: what SQLite makes of a full disk
    duplicates = Duplicates(seen, 0.8)
    with pytest.raises(ResourceError, match="disk is full") as caught:
        for number in range(2000):
            duplicates.find(f"d{number}", f"{number} {TEXT} {number * 7} {TEXT}")
    assert "TMPDIR" in caught.value.fix


def test_a_path_with_spaces_and_korean_letters(ingest, tmp_path):
    folder = tmp_path / "내 문서 모음"
    folder.mkdir()
    (folder / "첫 번째 글.txt").write_text(TEXT, encoding="utf-8")
    assert ingest(folder)[0] == ["첫%20번째%20글.txt"]


def test_an_unset_corpus(ingest):
    out = dict.fromkeys(run.outputs, "nowhere")
    with pytest.raises(InputError, match="no corpus was given") as caught:
        run(config={}, corpus="", queries="", qrels="", query_log="", **out)
    assert "CORPUS=" in caught.value.fix


def test_a_setting_without_a_value(ingest):
    with pytest.raises(ConfigError, match="max_documents: Input should be a valid integer; got None") as caught:
        ingest(GOOD, max_documents=None)
    assert "Known keys" in caught.value.fix


def test_an_unknown_setting(ingest):
    with pytest.raises(ConfigError, match="max_document: Extra inputs are not permitted") as caught:
        ingest(GOOD, max_document=3)
    assert "max_documents" in caught.value.fix


def test_a_number_where_a_list_or_mapping_belongs(ingest):
    with pytest.raises(ConfigError, match="query_types: Input should be a valid (list|tuple); got 3"):
        GenerateQueriesConfig.parse({"query_types": 3}, step="generate_queries")
    with pytest.raises(ConfigError, match="columns: Input should be a valid dictionary; got 3"):
        ingest(GOOD, columns=3)
    with pytest.raises(ConfigError, match="write field:column, with a field of _id, text"):
        ingest(GOOD, columns="body:본문")


def test_too_many_bad_rows_stop_the_run_and_all_of_them_are_named(ingest, tmp_path):
    with pytest.raises(InputError, match="2 of 4 rows cannot be used .at most 10% may.: no_text 2"):
        ingest("".join(GOOD.splitlines(keepends=True)[:2]) + '{"_id": "a", "text": ""}\n{"_id": "b", "text": ""}\n')
    assert [reject.where[-2:] for reject in read_records(tmp_path / "out/rejects", Reject)] == [":3", ":4"]


def _write_often(path, word):
    for _ in range(20):
        write_lines(path, [word] * 2000)


def test_two_runs_that_write_one_file_do_not_mix_their_lines(tmp_path):
    path = tmp_path / "documents"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_often, args=(path, word)) for word in ("하나", "둘")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    found = path.read_text(encoding="utf-8").splitlines()
    assert len(found) == 2000 and len(set(found)) == 1
    assert list(tmp_path.iterdir()) == [path]
