"""Records on disk: errors name the line, files are whole or not there."""

import os

import pytest

from kosparse.errors import InputError, ResourceError
from kosparse.jsonl import Records, read_json, read_records, write_json, write_records
from kosparse.records import Query


def test_records_come_back_as_they_were(tmp_path):
    rows = [Query(id="1", text="셀 보호"), Query(id="2", text="줄\n바꿈")]

    assert write_records(tmp_path / "q.jsonl", rows) == 2
    assert list(read_records(tmp_path / "q.jsonl", Query)) == rows


def test_records_of_several_files_can_be_read_again(tmp_path):
    rows = [Query(id=str(number), text="셀 보호") for number in range(3)]
    write_records(tmp_path / "a", rows[:2])
    write_records(tmp_path / "b", rows[2:])
    records = Records([tmp_path / "a", tmp_path / "b"], Query)

    assert list(records) == list(records) == rows


def test_a_bad_line_is_named_with_its_field(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": "1", "text": "a"}\n\n{"id": "2"}\n', encoding="utf-8")

    with pytest.raises(InputError) as error:
        list(read_records(path, Query))

    assert error.value.where.endswith("q.jsonl:3") and "text" in error.value.what


def test_an_unknown_field_is_refused(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": "1", "text": "a", "lang": "ko"}\n', encoding="utf-8")

    with pytest.raises(InputError, match="lang"):
        list(read_records(path, Query))


def test_wrong_encoding_is_an_input_error(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_bytes('{"id": "1", "text": "한글"}'.encode("cp949"))

    with pytest.raises(InputError, match="cannot read"):
        list(read_records(path, Query))


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "q.jsonl"
    write_records(path, [Query(id="1", text="old")])

    def broken():
        yield Query(id="2", text="new")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_records(path, broken())

    assert [row.text for row in read_records(path, Query)] == ["old"]
    assert os.listdir(tmp_path) == ["q.jsonl"]


def test_a_folder_that_cannot_be_written_is_a_resource_error(tmp_path):
    (tmp_path / "folder").write_text("a file, where even root makes no other")

    with pytest.raises(ResourceError, match="cannot write") as error:
        write_json(tmp_path / "folder" / "x.json", {})

    assert error.value.where.endswith("folder/x.json") and "another folder" in error.value.fix


def test_json_that_is_not_json_is_named(tmp_path):
    (tmp_path / "x.json").write_text("{", encoding="utf-8")

    with pytest.raises(InputError, match="not a JSON file"):
        read_json(tmp_path / "x.json")
