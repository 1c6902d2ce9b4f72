import gzip
from collections import Counter

import pytest
import zstandard

from kosparse.corpus.locations import Location
from kosparse.corpus.query_log import read_query_log
from kosparse.corpus.text import query_key
from kosparse.errors import InputError


def read(tmp_path, content, name="log.txt", evaluated=frozenset()):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows, rejects = read_query_log(Location(path, name), evaluated)
    return [(row.text, row.count) for row in rows], [(reject.reason, reject.where) for reject in rejects]


def test_one_query_per_line_and_equal_ones_are_counted_together(tmp_path):
    found, rejects = read(tmp_path, "셀 보호\n\n피벗 테이블\r\n셀보호!\n  셀 보호  \n")
    assert found == [("셀 보호", 3), ("피벗 테이블", 1)]
    assert rejects == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.csv", "query,count\n셀 보호,12\n피벗 테이블,3\n"),
        ("log.csv", "\ufeff날짜,검색어,횟수\n2026-01-01,셀 보호,12\n2026-01-02,피벗 테이블,3\n"),
        ("log.csv", "셀 보호,12\n피벗 테이블,3\n"),
        ("log.tsv", "count\tquery\n12\t셀 보호\n3\t피벗 테이블\n"),
        ("log.csv", 'query,count\n"셀 보호","1,012"\n'),
    ],
)
def test_tables_with_and_without_a_heading(tmp_path, name, content):
    found, rejects = read(tmp_path, content, name)
    assert found[0] in [("셀 보호", 12), ("셀 보호", 1012)]
    assert rejects == []


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.txt", "셀 보호\n피벗 테이블\n셀 보호\n"),
        ("log.csv", "검색어,횟수\n셀 보호,2\n피벗 테이블,1\n"),
        ("log.TSV.gz", "셀 보호\t2\n피벗 테이블\t1\n"),
    ],
)
def test_a_log_may_be_encoded_and_packed_as_documents_may(tmp_path, name, content, encoding, pack):
    assert read(tmp_path, pack(content.encode(encoding)), name) == ([("셀 보호", 2), ("피벗 테이블", 1)], [])


def test_encodings_are_counted_mixed_ones_read_and_unknown_ones_told_with_their_line(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes("셀 보호\n".encode() + "피벗 테이블\n".encode("cp949") + b"\xff\xff\xff\n")
    encodings = Counter()
    rows, (reject,) = read_query_log(Location(path, "log.txt"), encodings=encodings)
    assert [row.text for row in rows] == ["셀 보호", "피벗 테이블"]
    assert encodings == {"utf-8": 1, "cp949": 1}
    assert (reject.reason, reject.where) == ("unknown_encoding", "log.txt:3")


def test_queries_that_were_decoded_wrongly_are_mended(tmp_path):
    assert read(tmp_path, "셀 보호".encode().decode("latin-1"))[0] == [("셀 보호", 1)]


def test_a_quote_that_is_never_closed_loses_its_own_row_only(tmp_path):
    found, rejects = read(tmp_path, 'query,count\n셀,2\n"표,1\n열,3\n', "log.csv")
    assert found == [("열", 3), ("셀", 2)] and rejects == [("unclosed_quote", "log.csv:3")]


def test_a_table_without_counts_counts_rows(tmp_path):
    assert read(tmp_path, "query\n표\n표\n셀\n", "log.csv")[0] == [("표", 2), ("셀", 1)]


def test_rows_that_cannot_be_used_are_told_with_their_line(tmp_path):
    content = "query,count\n셀,많이\n?!,3\n" + "가" * 201 + ",1\n표,2\n"
    found, rejects = read(tmp_path, content, "log.csv")
    assert found == [("표", 2)]
    assert rejects == [("bad_count", "log.csv:2"), ("empty_query", "log.csv:3"), ("long_query", "log.csv:4")]


def test_queries_of_the_evaluation_set_are_left_out(tmp_path):
    found, rejects = read(tmp_path, "셀 보호\n셀-보호\n표\n", evaluated={query_key("셀 보호")})
    assert found == [("표", 1)]
    assert [reason for reason, _ in rejects] == ["evaluation_query"] * 2


def test_control_characters_do_not_get_in(tmp_path):
    assert read(tmp_path, "셀\x00 \u200b보호\x07\n")[0] == [("셀 보호", 1)]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("log.txt", "", "no query in the log"),
        ("log.txt", "\n \n??\n", "no query in the log"),
        ("log.csv", "date,count\n2026,3\n", "no column of the query log is a query"),
        ("log.csv", "query\n" + "가" * ((1 << 20) + 1) + "\n", "no query in the log"),
        ("log.txt.gz", gzip.compress("셀 보호\n".encode() * 9)[:-9], "cut off"),
        ("log.csv", b"PK\x03\x04rest", "a zip archive or an Office file"),
    ],
)
def test_a_log_nobody_can_use_is_refused(tmp_path, name, content, what):
    with pytest.raises(InputError, match=what) as caught:
        read(tmp_path, content, name)
    assert caught.value.where == name and caught.value.fix


def test_a_log_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such query log") as caught:
        read_query_log(Location(tmp_path / "none.csv", "none.csv"))
    assert "QUERY_LOG" in caught.value.fix


def test_a_folder_in_place_of_a_log(tmp_path):
    with pytest.raises(InputError, match="this is a folder"):
        read_query_log(Location(tmp_path, "logs"))
