import pytest

from kosparse.synonyms.terms import english_key, korean_key, pair_key, problem, tidy, tidy_english


@pytest.mark.parametrize(
    ("ko", "en", "reason"),
    [
        ("피벗 테이블", "pivot table", ""),
        ("으로", "to", "ko_particle"),
        ("table", "table", "ko_not_korean"),
        ("Day 함수", "day function", "ko_mixed_script"),
        ("버전 3", "version", "ko_code"),
        ("시트를 보호합니다", "protect", "ko_sentence"),
        ("셀, 보호", "cell", "ko_not_a_term"),
        ("설정 📎", "settings", "ko_not_a_term"),
        ("가 => 나", "a", "ko_not_a_term"),
        ("버전", "V26", "en_code"),
        ("설정", "KDConfig", "en_code"),
        ("켬/끔", "on/off", "en_code"),
        ("문서", "문서", "en_not_english"),
        ("문서", "a", "en_too_short"),
        ("문서", "of the", "en_too_short"),
        ("문서", "start of", "en_not_a_term"),
        ("문서", 'say "hi"', "en_not_a_term"),
        ("문서", "one of five very long terms", "en_too_long"),
        ("가나 " * 5, "word", "ko_too_long"),
    ],
)
def test_labels_codes_particles_and_sentences_are_no_terms(ko, en, reason):
    assert problem(ko, en) == reason


def test_control_and_zero_width_characters_leave_a_term():
    assert tidy("피벗\u200b\x07\t테이블\n") == "피벗 테이블"


def test_decomposed_hangul_becomes_syllables():
    assert tidy("\u1112\u1161\u11ab\u1100\u1173\u11af") == "한글"


def test_english_terms_lose_article_and_case_but_acronyms_keep_theirs():
    assert [tidy_english(t) for t in ("The Cell", "to sort", "DBMS", "AutoFilter:")] == [
        "cell",
        "sort",
        "DBMS",
        "AutoFilter",
    ]


def test_spacing_case_hyphens_and_plurals_do_not_make_a_new_pair():
    assert korean_key("셀 보호") == korean_key("셀보호")
    assert english_key("Cross-References") == english_key("cross reference")
    assert pair_key("도구 모음", "Toolbars") == pair_key("도구모음", "toolbar")
    assert english_key("pivot table") != english_key("pivot chart")
