import pytest

from kosparse.corpus.text import hangul_share, hangul_syllables, has_control_characters, normalise, query_key


def test_decomposed_hangul_becomes_syllables():
    assert normalise("\u1112\u1161\u11ab\u1100\u1173\u11af") == "한글"


def test_line_ends_of_every_kind_become_newlines_and_invisible_characters_go():
    assert normalise("\ufeff가\r\n나\x0c다\u2028라\u200b마 ") == "가\n나\n다\n라마"


@pytest.mark.parametrize("text", ["가\x00나", "가\x1b[0m", "\ud83d 반쪽"])
def test_text_that_is_no_text_is_recognised(text):
    assert has_control_characters(text)


def test_tabs_line_ends_and_form_feeds_are_text():
    assert not has_control_characters("가\t나\r\n다\x0c라")


def test_share_of_hangul_is_taken_of_letters_only():
    assert hangul_share("셀 A1, 2023!") == 0.5
    assert hangul_share("12 + 3") == 0.0


def test_single_jamo_are_no_syllables():
    assert hangul_syllables("ㅋㅋ 네") == 1


def test_texts_that_differ_in_case_blanks_and_signs_share_a_key():
    assert query_key("셀 보호 (Cell)") == query_key("셀보호cell!") == "셀보호cell"
    assert query_key("셀 보호") != query_key("시트 보호")


def test_a_key_keeps_letters_apart_that_only_look_alike():
    assert query_key("A1") != query_key("Al")
