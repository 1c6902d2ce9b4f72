import re

import pytest

from kosparse.corpus.passages import split_document
from kosparse.records import Document


def _cut(text, characters):
    return [passage.text for passage in split_document(Document(id="d", text=text), characters)]


def _bare(text):
    return re.sub(r"\s", "", text)


def test_a_short_document_is_one_passage():
    (passage,) = split_document(Document(id="a/b", text=" 셀을 보호합니다. "), 100)
    assert (passage.id, passage.document_id, passage.position) == ("a/b#0", "a/b", 0)
    assert passage.text == "셀을 보호합니다."


def test_the_title_stands_in_the_first_passage_and_not_twice():
    body = "첫째 문장을 여기에 씁니다.\n둘째 문장을 여기에 씁니다."
    first, second = split_document(Document(id="d", text=body, title="셀 보호"), 25)
    assert first.text == "셀 보호\n첫째 문장을 여기에 씁니다." and second.text == "둘째 문장을 여기에 씁니다."
    (only,) = split_document(Document(id="d", text="셀 보호\n본문", title="셀 보호"), 100)
    assert only.text == "셀 보호\n본문"


def test_cuts_fall_at_sentence_ends():
    text = "첫째 문장을 여기에 씁니다. 둘째 문장을 여기에 씁니다. 셋째 문장을 여기에 씁니다."
    assert _cut(text, 35) == ["첫째 문장을 여기에 씁니다. 둘째 문장을 여기에 씁니다.", "셋째 문장을 여기에 씁니다."]


def test_lines_stay_lines_within_a_passage():
    assert _cut("가" * 40 + "\n" + "나" * 40 + "\n" + "다" * 40, 100) == ["가" * 40 + "\n" + "나" * 40, "다" * 40]


def test_text_without_a_sentence_end_is_cut_at_blanks_else_anywhere():
    assert _cut("가나 " * 50, 100) == [("가나 " * 33).strip(), ("가나 " * 17).strip()]
    assert [len(piece) for piece in _cut("가" * 250, 100)] == [100, 100, 50]


@pytest.mark.parametrize("limit", [100, 137, 1200])
def test_nothing_is_lost_and_no_passage_is_too_long(limit):
    text = "\n\n".join(f"{n}번째 항목입니다. 값은 {n}.5입니다! 왜 그럴까요? " + "끝없는말" * n for n in range(60))
    pieces = _cut(text, limit)
    assert _bare("".join(pieces)) == _bare(text)
    assert all(0 < len(piece) <= limit for piece in pieces)


def test_ids_count_the_passages():
    passages = split_document(Document(id="d", text="가" * 250), 100)
    assert [passage.id for passage in passages] == ["d#0", "d#1", "d#2"]
