import pytest

from kosparse.synonyms.transliteration import transliteration_score


@pytest.mark.parametrize(
    ("ko", "en"),
    [("데이터베이스", "database"), ("스크립트", "script"), ("메시지", "message"), ("텍스트", "text"), ("파일", "file")],
)
def test_loan_words_sound_like_their_origin(ko, en):
    assert transliteration_score(ko, en) == 1.0


@pytest.mark.parametrize(("ko", "en"), [("글꼴", "font"), ("머리글", "header"), ("격자", "grid")])
def test_translations_do_not(ko, en):
    assert transliteration_score(ko, en) < 0.5


def test_one_wrong_consonant_of_three_costs_a_third():
    assert transliteration_score("브라우저", "browser") == pytest.approx(2 / 3)  # p-l-c against p-l-s


def test_a_side_without_consonants_scores_zero():
    assert transliteration_score("아이", "eye") == 0.0
    assert transliteration_score("", "x") == 0.0
