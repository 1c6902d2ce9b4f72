import pytest

from kosparse.corpus import lines
from kosparse.corpus.readers import Location, locate, read_columns, read_rows
from kosparse.errors import InputError
from kosparse.records import Reject


def _file(tmp_path, content, name="corpus.jsonl"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Location(path, name)


def _folder(tmp_path, *names):
    for name in names:
        _file(tmp_path, "{}", name)
    return Location(tmp_path, "my-folder")


def test_rows_come_with_file_and_line_and_blank_lines_are_skipped(tmp_path):
    rows = list(read_rows(_file(tmp_path, '\ufeff{"_id": "a"}\n\n{"_id": "b"}\r\n')))
    assert rows == [("corpus.jsonl:1", {"_id": "a"}), ("corpus.jsonl:3", {"_id": "b"})]


def test_bad_lines_become_rejects_and_reading_goes_on(tmp_path):
    content = b'{"_id": \n[1]\n"x"\n' + b'\n{"_id": "ok"}\n'
    rows = [row for _, row in read_rows(_file(tmp_path, content))]
    assert [row.reason for row in rows if isinstance(row, Reject)] == ["not_json", "not_json", "not_json"]
    assert rows[0].where == "corpus.jsonl:1" and rows[0].row == {"line": '{"_id": \n'}
    assert rows[-1] == {"_id": "ok"}


def test_a_huge_line_is_one_reject_and_the_next_line_keeps_its_number(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 50)
    content = '{"text": "' + "x" * 500 + '"}\n{"_id": "b"}\n'
    (_, huge), (where, row) = read_rows(_file(tmp_path, content))
    assert (huge.reason, len(huge.row["line"])) == ("line_too_long", 51)
    assert (where, row) == ("corpus.jsonl:2", {"_id": "b"})


def test_a_line_of_exactly_the_limit_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 12)
    assert [row for _, row in read_rows(_file(tmp_path, '{"_id":"ab"}'))] == [{"_id": "ab"}]


def test_deep_nesting_is_a_reject_not_a_crash(tmp_path):
    ((_, row),) = read_rows(_file(tmp_path, "[" * 100_000))
    assert row.reason == "not_json"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file") as caught:
        list(read_rows(Location(tmp_path / "none.jsonl", "s3://bucket/none.jsonl")))
    assert caught.value.where == "s3://bucket/none.jsonl" and "CORPUS" in caught.value.fix


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "corpus.jsonl").symlink_to("/proc/self/mem")  # whose first byte nobody may read, not even root
    with pytest.raises(InputError, match="cannot read: .*Input/output error") as caught:
        list(read_rows(Location(tmp_path / "corpus.jsonl", "corpus.jsonl")))
    assert caught.value.where == "corpus.jsonl" and "permissions" in caught.value.fix


def test_columns_are_separated_by_tabs_or_blanks(tmp_path):
    file = _file(tmp_path, "q 1\td\t1\n\nq2 0 d2 1\n", "test.tsv")
    assert list(read_columns(file)) == [("test.tsv:1", ["q 1", "d", "1"]), ("test.tsv:3", ["q2", "0", "d2", "1"])]


def test_a_file_alone_has_no_queries(tmp_path):
    found = locate(_file(tmp_path, "{}", "my.jsonl"))
    assert (found.corpus.path, found.queries, found.qrels, found.parallel) == (tmp_path / "my.jsonl", None, {}, None)


def test_a_beir_folder_brings_all_it_has(tmp_path):
    folder = _folder(tmp_path, "corpus.jsonl", "queries.jsonl", "parallel.jsonl", "qrels/dev.tsv", "qrels/test.tsv")
    found = locate(folder)
    assert found.queries.name == "my-folder/queries.jsonl"
    assert {split: file.name for split, file in found.qrels.items()} == {
        "validation": "my-folder/qrels/dev.tsv",
        "test": "my-folder/qrels/test.tsv",
    }
    assert found.parallel.path == tmp_path / "parallel.jsonl"


def test_queries_of_a_folder_without_judgements_are_of_no_use(tmp_path):
    assert locate(_folder(tmp_path, "corpus.jsonl", "queries.jsonl")).queries is None


def test_given_queries_replace_those_of_the_folder(tmp_path):
    folder = _folder(tmp_path, "corpus.jsonl", "queries.jsonl", "qrels/test.tsv")
    mine, judged = _file(tmp_path, "{}", "mine.jsonl"), _file(tmp_path, "", "mine.tsv")
    found = locate(folder, mine, judged)
    assert (found.queries, found.qrels) == (mine, {"": judged})


def test_a_single_file_of_judgements_belongs_to_no_split_yet(tmp_path):
    found = locate(_folder(tmp_path, "corpus.jsonl", "queries.jsonl", "qrels/all.tsv"))
    assert list(found.qrels) == [""]


def test_several_files_of_judgements_without_known_names_are_refused(tmp_path):
    with pytest.raises(InputError, match="a.tsv, b.tsv"):
        locate(_folder(tmp_path, "corpus.jsonl", "queries.jsonl", "qrels/a.tsv", "qrels/b.tsv"))


def test_a_folder_without_documents_says_what_it_holds(tmp_path):
    with pytest.raises(InputError, match="holds no documents; it holds photo.jpg"):
        locate(_folder(tmp_path, "photo.jpg"))


def test_queries_without_judgements_are_refused(tmp_path):
    file = _file(tmp_path, "{}")
    with pytest.raises(InputError, match="queries without judgements"):
        locate(file, queries=file)
    with pytest.raises(InputError, match="judgements without queries"):
        locate(file, qrels=file)


def test_a_folder_that_may_not_be_looked_into_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "is_dir", refuse)
    with pytest.raises(InputError, match="Permission denied") as caught:
        locate(Location(tmp_path, "my-folder"))
    assert caught.value.where == "my-folder"
