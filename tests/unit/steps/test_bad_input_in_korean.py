"""What people are told of bad input where ``LANG`` is Korean."""

import gzip
import json
import os
import re

import pyarrow
import pytest
from pyarrow import parquet

from kosparse import cli
from kosparse.corpus import lines, tables
from kosparse.steps.ingest_corpus import run

TEXT = "셀을 보호하려면 먼저 시트를 보호해야 합니다."
GOOD = json.dumps({"_id": "a", "text": TEXT}, ensure_ascii=False) + "\n"
FILES = {
    "wrong columns": ("t.csv", "이름,나이\n가,1\n".encode()),
    "two columns of one name": ("t.csv", b"id,text,text\na,b,c\n"),
    "bytes that are no text": ("t.jsonl", b'{"_id": "x", "text": "\x80\x81\xff"}\n'),
    "control characters": ("t.jsonl", json.dumps({"_id": "x", "text": f"{TEXT}\0"}).encode()),
    "an empty file": ("t.jsonl", b""),
    "a zip bomb": ("t.jsonl.gz", gzip.compress((b"0" * 999 + b"\n") * 8000)),
    "cut off": ("t.jsonl.gz", gzip.compress(GOOD.encode())[:-9]),
    "damaged": ("t.jsonl.gz", gzip.compress(GOOD.encode())[:20] + b"\xff" * 20),
    "no whole Parquet": ("t.parquet", b"PAR1"),
    "an Office file": ("t.jsonl", b"PK\x03\x04rest"),
    "a PDF": ("t.jsonl", b"%PDF-1.7"),
    "bzip2": ("t.jsonl", b"BZh9rest"),
    "xz": ("t.jsonl", b"\xfd7zXZrest"),
    "one JSON array": ("t.jsonl", b"[\n{}\n]\n"),
    "documents without Korean": ("t.jsonl", json.dumps({"_id": "a", "text": "No Korean in here at all."}).encode()),
    "white space": ("t.jsonl", json.dumps({"_id": "a", "text": " \t "}).encode()),
    "no ids and no JSON": ("t.jsonl", b"no JSON\n"),
}


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """Ingest; the exit status, what was wrong, and what to do."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("KOSPARSE_EVENTS", str(tmp_path / "events.jsonl"))
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    monkeypatch.setattr(lines, "EXPANSION_GRACE", 1 << 20)

    def ingest(corpus, *arguments):
        files = [f"--{name}={tmp_path}/out/{name}" for name in run.outputs]
        status = cli.main(["ingest_corpus", f"--corpus={corpus}", *files, *arguments])
        what, *rest = capsys.readouterr().err.removeprefix("kosparse: ").splitlines()
        return status, what, next((line.removeprefix("  할 일: ") for line in rest if line.startswith("  할 일: ")), "")

    return ingest


def assert_korean(told, status=2):
    assert told[0] == status
    assert all(re.search("[가-힣]{2}", text) for text in told[1:]), told


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_told_in_korean(told, tmp_path, case):
    name, content = FILES[case]
    (tmp_path / name).write_bytes(content)
    assert_korean(told(tmp_path / name))


@pytest.mark.parametrize(
    "setting",
    ["max_documents=viele", "max_document=3", "columns=3", "max_documents", "max_documents={", "columns=text:x"],
)
def test_a_bad_setting_is_told_in_korean(told, tmp_path, setting):
    (tmp_path / "t.jsonl").write_text(GOOD, encoding="utf-8")
    assert_korean(told(tmp_path / "t.jsonl", "--set", setting))


def test_a_bad_address_is_told_in_korean(told, tmp_path):
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    for corpus in ("", tmp_path / "none.jsonl", tmp_path / "empty", tmp_path / "pipe.jsonl"):
        assert_korean(told(corpus))
    assert_korean(told("", "--dry-run"))
    assert_korean(told(tmp_path / "none.jsonl", "--dry-run"))


def test_row_groups_too_large_and_a_full_disk_are_told_in_korean(told, tmp_path, monkeypatch):
    parquet.write_table(pyarrow.table({"id": ["a"], "text": [TEXT]}), tmp_path / "t.parquet")
    monkeypatch.setattr(tables, "MAX_ROW_GROUP_BYTES", 1)
    assert_korean(told(tmp_path / "t.parquet"))
    (tmp_path / "t.jsonl").write_text(GOOD, encoding="utf-8")
    (tmp_path / f"out/documents.{os.getpid()}.partial").symlink_to("/dev/full")
    assert_korean(told(tmp_path / "t.jsonl"), status=4)


def test_an_interruption_is_told_in_korean(told, tmp_path, monkeypatch):
    def interrupt(*given, **more):
        raise KeyboardInterrupt

    (tmp_path / "t.jsonl").write_text(GOOD, encoding="utf-8")
    monkeypatch.setattr("kosparse.steps.ingest_corpus.locate", interrupt)
    status, what, fix = told(tmp_path / "t.jsonl")
    assert (status, what, fix) == (130, "중단되었습니다", "")
