import io

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from kosparse.corpus.parallel_text import read_folder
from kosparse.corpus.readers import Location
from kosparse.records import AlignedText

PO = """msgid ""
msgstr "Content-Type: text/plain; charset={charset}\\n"

msgid "_Open File"
msgstr "파일 열기(_O)"

msgid "Close"
msgstr ""

msgid "cell"
msgid_plural "cells"
msgstr[0] "셀"

#, fuzzy
msgid "OK"
msgstr "OK"
"""
TMX = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE tmx [<!ENTITY boom "ha">]>
<tmx version="1.4"><body>
<tu><tuv xml:lang="EN-US"><seg>pivot <bpt i="1"/>table</seg></tuv>
<tuv xml:lang="ko-KR"><seg>피벗 테이블</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>only English</seg></tuv></tu>
<tu><tuv lang="en"><seg>sheet</seg></tuv><tuv lang="ko"><seg>시트&boom;</seg></tuv></tu>
</body></tmx>"""


def found(tmp_path):
    rows = list(read_folder(Location(tmp_path, "parallel")))
    good = [(row.ko, row.en, row.source, row.key) for row in rows if isinstance(row, AlignedText)]
    return good, [(row.reason, row.where) for row in rows if not isinstance(row, AlignedText)]


@pytest.mark.parametrize("charset", ["utf-8", "euc-kr", "cp949"])
def test_a_catalogue_is_read_in_the_encoding_its_header_names(tmp_path, charset):
    (tmp_path / "app.po").write_bytes(PO.format(charset=charset).encode(charset))

    good, bad = found(tmp_path)

    key = "parallel/app.po"
    assert good == [("파일 열기", "Open File", "catalogue", key), ("셀", "cell", "catalogue", key)]
    assert bad == [("not_translated", key)]  # OK; what has no translation is no entry


def test_a_compiled_catalogue_is_read_as_well(tmp_path):
    with open(tmp_path / "app.mo", "wb") as file:
        write_mo(file, read_po(io.BytesIO(PO.format(charset="utf-8").encode())))

    assert ("파일 열기", "Open File", "catalogue", "parallel/app.mo") in found(tmp_path)[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_translation_memory_is_read_and_its_entities_are_not_expanded(tmp_path, encoding):
    (tmp_path / "all.tmx").write_bytes(TMX.format(encoding=encoding).encode(encoding))

    good, bad = found(tmp_path)

    assert [(ko, en) for ko, en, *_ in good] == [("피벗 테이블", "pivot table"), ("시트&boom;", "sheet")]
    assert bad == []


def test_what_was_read_before_a_fault_in_a_translation_memory_is_kept(tmp_path):
    (tmp_path / "all.tmx").write_text(TMX.format(encoding="utf-8").replace("</tmx>", "<"), encoding="utf-8")

    good, bad = found(tmp_path)

    assert len(good) == 2
    assert bad == [("not_xml", "parallel/all.tmx")]


def test_tables_name_the_lines_that_have_other_columns(tmp_path):
    (tmp_path / "terms.tsv").write_text("셀\tcell\n셀 cell\ncell\t셀\n", encoding="utf-8-sig")

    good, bad = found(tmp_path)

    assert [(ko, en) for ko, en, *_ in good] == [("셀", "cell")]
    assert bad == [("not_two_columns", "parallel/terms.tsv:2"), ("not_translated", "parallel/terms.tsv")]


def test_translated_files_are_aligned_by_path_and_line(tmp_path):
    for name, text in (
        ("ko/a/1.txt", "셀을 엽니다.\n\n행\n"),
        ("en/a/1.txt", "Open the cell.\nrow\n"),
        ("ko/2.txt", "하나\n둘"),
        ("en/2.txt", "one"),
        ("ko/3.txt", "셋"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    good, bad = found(tmp_path)

    assert [(ko, en) for ko, en, *_ in good] == [("셀을 엽니다.", "Open the cell."), ("행", "row")]
    assert bad == [("not_aligned", "parallel/ko/2.txt"), ("not_aligned", "parallel/ko/3.txt")]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("bad.mo", b"not a catalogue", "not_a_catalogue"),
        ("bad.po", b'msgid "x\nmsgstr "\xff', "not_a_catalogue"),
        ("bad.tsv", "셀\tcell".encode("cp949"), "not_utf8"),
        ("empty.tmx", b"", "not_xml"),
        ("notes.docx", b"PK", "unknown_format"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_the_others_are_read(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "z.tsv").write_text("셀\tcell\n", encoding="utf-8")

    good, bad = found(tmp_path)

    assert len(good) == 1
    assert bad == [(reason, f"parallel/{name}")]
