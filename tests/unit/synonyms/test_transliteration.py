import pytest

from kosparse.synonyms.transliteration import (
    mine_transliterations,
    romanised,
    spelling_similarity,
    transliteration_score,
)


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


def test_terms_that_sound_alike_are_mined_each_with_its_nearest_spelling():
    korean = [("매크로", 5), ("포인터", 3), ("포인트", 4), ("글꼴", 9)]
    english = [("macro", 2), ("pointer", 8), ("font", 7)]

    found = mine_transliterations(korean, english)

    assert [(c.ko, c.en, c.count, c.source) for c in found if c.ko != "포인트"] == [
        ("포인터", "pointer", 3, "transliteration"),
        ("매크로", "macro", 2, "transliteration"),
    ]


def test_a_shared_consonant_alone_proves_nothing():
    assert mine_transliterations([("표", 3)], [("pea", 3)]) == []


def test_romanisation_is_letter_by_letter():
    assert romanised("컴퓨터 X") == "keompyuteo"
    assert spelling_similarity("팁", "tip") == 1.0
    assert spelling_similarity("팁", "도구") == 0.0
