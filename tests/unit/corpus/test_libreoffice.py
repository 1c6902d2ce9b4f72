import json

import pytest

from kosparse.corpus import libreoffice
from kosparse.corpus.help_pages import HelpPage
from kosparse.corpus.splitting import split_of
from kosparse.errors import InputError, ServiceError

LONG = "셀을 보호하려면 시트를 먼저 보호해야 하고 그 다음에 암호를 정할 수 있습니다. " * 4


def _page(title="", body=LONG, keywords=(), by_id=None):
    return HelpPage(title=title, head_title="", blocks=(body,), by_id=by_id or {}, keywords=tuple(keywords))


def _ids(split, count):
    return [name for name in (f"p{number}" for number in range(1000)) if split_of(name) == split][:count]


def _judge(pages):
    return libreoffice.judge(pages, libreoffice.choose_documents(pages)[1])


def test_pages_with_little_hangul_are_no_documents():
    pages = {
        "a": _page(),
        "b": _page(body="가" * 79),
        "c": _page(body="나" * 80 + "x" * 200),
        "d": _page(body="다" * 80),
    }
    assert list(libreoffice.choose_documents(pages)[0]) == ["a", "d"]


def test_pages_with_the_same_words_are_one_document():
    documents, canonical = libreoffice.choose_documents({"b": _page(body=LONG + "!"), "a": _page()})
    assert (list(documents), canonical) == (["a"], {"a": "a", "b": "a"})


def test_titles_and_index_entries_are_queries():
    page = _page("셀 보호", keywords=["시트; 보호", "한단어", "cell protection", "셀--protection"])
    assert list(_judge({"p1": page})) == ["셀 보호", "시트 보호"]


def test_queries_of_merged_pages_point_to_the_document_that_stayed():
    assert _judge({"a": _page("첫 제목"), "b": _page("둘째 제목")}) == {"첫 제목": ["a"], "둘째 제목": ["a"]}


def test_vague_queries_and_those_that_straddle_test_are_left_out():
    test, train = _ids("test", 6), _ids("train", 1)
    vague = {name: _page("모두의 제목", LONG + name) for name in test}
    assert _judge(vague) == {}
    assert list(_judge(dict(list(vague.items())[:5]))) == ["모두의 제목"]
    assert _judge({name: _page("두 쪽", LONG + name) for name in [test[0], train[0]]}) == {}


def test_languages_are_aligned_by_element_and_keywords_by_place():
    korean = {
        "p": _page(
            keywords=["셀; 보호"], by_id={"h": ("h1", "셀"), "a": ("p", "표"), "same": ("p", "셀"), "e": ("p", "x")}
        )
    }
    english = {
        "p": _page(
            keywords=["cells; protecting"],
            by_id={"h": ("h1", "Cell"), "a": ("p", "Table"), "same": ("p", "셀"), "e": ("p", "y")},
        )
    }
    assert [(row.source, row.ko, row.en, row.key) for row in libreoffice.align(korean, english)] == [
        ("heading", "셀", "Cell", "p"),
        ("block", "표", "Table", "p"),
        ("keyword", "셀 보호", "cells protecting", "p"),
    ]


def test_keywords_are_not_aligned_when_their_numbers_differ():
    assert list(libreoffice.align({"p": _page(keywords=["셀; 보호", "나; 다"])}, {"p": _page(keywords=["cell"])})) == []


@pytest.fixture
def packages(monkeypatch):
    calls = []

    def unpack(names, folder):
        calls.append(names)
        for language, text in (("ko", LONG), ("en-US", "To protect cells, protect the sheet.")):
            page = folder / "usr/share/libreoffice/help" / language / "text/scalc/protect.html"
            page.parent.mkdir(parents=True)
            page.write_text(
                f'<div id="DisplayArea"><h1 id="h">셀 보호</h1><p id="a">{text}</p></div>', encoding="utf-8"
            )
        return dict.fromkeys(names, "4:7.4.7-1")

    monkeypatch.setattr(libreoffice, "unpack_packages", unpack)
    return calls


def test_the_sample_is_built_once_in_beirs_layout(packages, tmp_path):
    folder = libreoffice.fetch_sample(tmp_path)
    assert libreoffice.fetch_sample(tmp_path) == folder and len(packages) == 1
    (row,) = map(json.loads, (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines())
    assert (row["_id"], row["title"], row["text"]) == ("scalc/protect", "", LONG.strip())
    assert row["url"] == "https://help.libreoffice.org/7.4/ko/text/scalc/protect.html"
    (query,) = map(json.loads, (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines())
    judged = (folder / f"qrels/{split_of('scalc/protect')}.tsv").read_text().splitlines()
    assert judged == ["query-id\tcorpus-id\tscore", f"{query['_id']}\tscalc/protect\t1"]
    assert json.loads((folder / "source.json").read_text())["counts"] == {
        "documents": 1,
        "queries": 1,
        "test_queries": int(split_of("scalc/protect") == "test"),
        "judgements": 1,
        "parallel": 1,
    }
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_half_built_folder_is_replaced(packages, tmp_path):
    (tmp_path / libreoffice.FOLDER).mkdir(parents=True)
    (tmp_path / libreoffice.FOLDER / "corpus.jsonl").write_text("half")
    assert (libreoffice.fetch_sample(tmp_path) / "source.json").exists()


def test_a_folder_built_by_other_rules_is_built_again(packages, tmp_path, monkeypatch):
    libreoffice.fetch_sample(tmp_path)
    monkeypatch.setattr(libreoffice, "_RULES", libreoffice._RULES + 1)
    libreoffice.fetch_sample(tmp_path)
    assert len(packages) == 2
    assert libreoffice.fetch_sample(tmp_path) and len(packages) == 2


def test_a_failed_download_leaves_nothing_behind(monkeypatch, tmp_path):
    def fail(names, folder):
        raise ServiceError("no mirror")

    monkeypatch.setattr(libreoffice, "unpack_packages", fail)
    with pytest.raises(ServiceError):
        libreoffice.fetch_sample(tmp_path)
    assert list((tmp_path / "corpora").iterdir()) == []


def test_packages_without_help_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(libreoffice, "unpack_packages", lambda names, folder: {})
    with pytest.raises(InputError, match="no help pages"):
        libreoffice.fetch_sample(tmp_path)
