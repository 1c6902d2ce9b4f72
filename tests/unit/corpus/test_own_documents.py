"""Collections as people have them: every format, encoding and packing."""

import codecs
import gzip
import json
from collections import Counter

import pyarrow
import pytest
import zstandard
from pyarrow import parquet

from kosparse.corpus.lines import read_lines
from kosparse.corpus.locations import Location
from kosparse.corpus.readers import Reading, locate, read_corpus
from kosparse.errors import InputError
from kosparse.records import Reject

ROWS = [{"_id": "d0", "text": "셀을 보호합니다.\n둘째 줄", "title": "셀"}, {"_id": "d1", "text": '말했다: "예, 좋다"'}]
JSONL = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _read(path, **given):
    """Rows by where they stand, and what turned out."""
    reading = Reading()
    corpus = locate(Location(path, path.name)).corpus
    return dict(read_corpus(corpus, given, reading)), reading


def _texts(path, **given):
    rows, _ = _read(path, **given)
    return {row["_id"]: row["text"] for row in rows.values() if isinstance(row, dict)}


TEXTS = {row["_id"]: row["text"] for row in ROWS}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be"])
def test_json_lines_in_every_encoding_and_packing(tmp_path, pack, encoding):
    path = _write(tmp_path / "my.jsonl", pack(JSONL.encode(encoding)))
    assert _texts(path) == TEXTS


def test_several_members_of_a_packed_file_follow_each_other(tmp_path):
    first, second = (line.encode() + b"\n" for line in JSONL.splitlines())
    assert _texts(_write(tmp_path / "a.jsonl.gz", gzip.compress(first) + gzip.compress(second))) == TEXTS
    assert _texts(_write(tmp_path / "a.jsonl.zst", zstandard.compress(first) + zstandard.compress(second))) == TEXTS


def test_encodings_are_counted_and_may_be_mixed(tmp_path):
    first, second = (f"{line}\n" for line in JSONL.splitlines())
    path = _write(tmp_path / "mixed.jsonl", first.encode() + second.encode("euc-kr") + b"\xff\xff\xff\n")
    rows, reading = _read(path)
    assert reading.encodings == {"utf-8": 1, "cp949": 1}
    bad = rows["mixed.jsonl:3"]
    assert isinstance(bad, Reject) and bad.reason == "unknown_encoding"


def test_bytes_that_are_words_in_both_encodings_follow_the_lines_before(tmp_path):
    path = _write(tmp_path / "a.txt", "셀을 보호합니다\nAlt 키\n".encode("cp949") + "셀을 보호합니다\nŰ\n".encode())
    found = [line.strip() for _, line in read_lines(Location(path, "a.txt"))]
    assert found == ["셀을 보호합니다", "Alt 키", "셀을 보호합니다", "Ű"]


def test_a_damaged_utf8_line_is_not_taken_for_cp949(tmp_path):
    path = _write(tmp_path / "a.txt", "셀을 보호하려면 시트를 먼저 보호해야 합니다".encode()[:-1])
    ((_, line),) = read_lines(Location(path, "a.txt"), Counter())
    assert isinstance(line, Reject)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_with_quoted_cells_over_several_lines(tmp_path, separator):
    content = separator.join(["번호", "제목", "본문"]) + "\n"
    content += separator.join(["d0", "셀", '"셀을 보호합니다.\n둘째 줄"']) + "\n"
    content += separator.join(["d1", "", '"말했다: ""예, 좋다"""']) + "\n"
    path = _write(tmp_path / ("t.tsv" if separator == "\t" else "t.csv"), content.encode("cp949"))
    rows, reading = _read(path)
    assert _texts(path) == TEXTS
    assert list(rows) == [f"{path.name}:2", f"{path.name}:4"]
    assert reading.columns == {"_id": "번호", "title": "제목", "text": "본문"}


def test_parquet_with_dates_and_columns_that_are_no_text(tmp_path):
    import datetime

    table = pyarrow.table(
        {
            "doc_id": [1, 2],
            "body": list(TEXTS.values()),
            "created_at": [datetime.date(2024, 5, 1), None],
            "vector": [[0.1] * 4, [0.2] * 4],
        }
    )
    parquet.write_table(table, tmp_path / "p.parquet")
    rows, reading = _read(tmp_path / "p.parquet")
    assert rows["p.parquet:row 1"] == {"_id": 1, "text": ROWS[0]["text"], "date": "2024-05-01"}
    assert reading.encodings == {} and reading.files == {".parquet": 1}


def test_a_folder_of_texts_is_one_document_a_file(tmp_path):
    page = '<html><head><meta charset="euc-kr"><title>표 만들기</title><meta name="date" content="2024-05-01"></head>'
    page += "<body><nav>메뉴</nav><p>표를 만듭니다.<br>열을 고릅니다.</p><script>x()</script></body></html>"
    _write(tmp_path / "b 절/표.html", page.encode("euc-kr"))
    _write(tmp_path / "a.md", "# 셀 보호\n\n셀을 보호합니다.")
    _write(tmp_path / "c.txt.gz", gzip.compress("본문입니다.".encode()))
    _write(tmp_path / ".hidden.txt", "안 봅니다")
    _write(tmp_path / "photo.jpg", b"\xff\xd8")
    rows, reading = _read(tmp_path)
    found = {row["_id"]: row for row in rows.values()}
    assert list(found) == ["a.md", "c.txt", "b%20절/표.html"]
    assert found["a.md"] == {"_id": "a.md", "title": "셀 보호", "text": "\n셀을 보호합니다."}
    page = found["b%20절/표.html"]
    assert (page["title"], page["date"]) == ("표 만들기", "2024-05-01")
    assert page["text"] == "표를 만듭니다.\n열을 고릅니다."
    assert reading.encodings == {"utf-8": 2, "cp949": 1}


def test_parts_of_a_collection_in_one_folder_are_read_in_order(tmp_path):
    for number, line in enumerate(JSONL.splitlines()):
        _write(tmp_path / f"part-{number}.jsonl.zst", zstandard.compress(line.encode()))
    assert _texts(tmp_path) == TEXTS


def test_a_beir_folder_may_be_packed(tmp_path):
    _write(tmp_path / "corpus.jsonl.gz", gzip.compress(JSONL.encode()))
    _write(tmp_path / "notes.txt", "이것은 문서가 아닙니다.")
    assert _texts(tmp_path) == TEXTS


def test_columns_that_are_given_win_over_names(tmp_path):
    path = _write(tmp_path / "t.csv", "id,text,memo\n1,짧다,이것이 본문입니다\n")
    assert _texts(path, text="memo") == {"1": "이것이 본문입니다"}
    with pytest.raises(InputError, match="no column memmo; there are id, text, memo"):
        _texts(path, text="memmo")


def test_a_text_of_unknown_name_is_the_longest_column(tmp_path):
    row = {"id": "a", "paragraph": "셀을 보호하려면 먼저 시트를 보호해야 합니다. " * 2, "note": "짧은 말"}
    assert _texts(_write(tmp_path / "t.jsonl", json.dumps(row))) == {"a": row["paragraph"]}


def test_ids_are_made_from_the_content_where_there_are_none(tmp_path):
    path = _write(tmp_path / "t.csv", "text\n하나\n둘\n")
    rows, reading = _read(path)
    assert reading.made_ids and len({row["_id"] for row in rows.values()}) == 2
    again = _write(tmp_path / "u.csv", "text\n둘\n")
    assert set(_texts(again)) < set(_texts(path))


def test_a_field_that_only_later_rows_have_is_read(tmp_path):
    rows = [{"_id": str(n), "text": f"셀 {n}"} for n in range(150)] + [{"_id": "z", "text": "표", "date": "2024-05-01"}]
    path = _write(tmp_path / "t.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert list(_read(path)[0].values())[-1]["date"] == "2024-05-01"


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = _write(tmp_path / "t.csv", codecs.BOM_UTF8 + "_id,text\na,셀\n".encode())
    assert _texts(path) == {"a": "셀"}
