from kosparse.corpus.morphemes import (
    content_morphemes,
    content_morphemes_of,
    morphemes,
    nouns,
    sentences,
    sentences_of,
)


def test_particles_endings_and_signs_are_no_content():
    assert content_morphemes("조건부 서식을 적용합니다.") == ["조건", "서식", "적용"]


def test_inflected_forms_share_their_stem():
    assert "열" in content_morphemes("파일을 열었습니다")
    assert "열" in content_morphemes("파일을 열고")


def test_foreign_words_are_lower_cased_and_numbers_kept():
    assert content_morphemes("HTML 5 문서") == ["html", "5", "문서"]


def test_many_texts_give_the_same_as_one_by_one_in_order():
    texts = ["셀 보호", "", "시트를 삭제합니다"]
    assert content_morphemes_of(texts) == [content_morphemes(text) for text in texts]


def test_morphemes_say_where_they_stand():
    text = "셀을 보호"
    assert [text[token.start : token.end] for token in morphemes(text)] == ["셀", "을", "보호"]
    assert [token.tag for token in morphemes(text)] == ["NNG", "JKO", "NNG"]


def test_tags_of_irregular_words_have_no_suffix():
    assert "VA" in {token.tag for token in morphemes("아름다운 그림")}


def test_nouns_keep_their_case():
    assert nouns("Calc에서 셀을 보호") == ["Calc", "셀", "보호"]


def test_a_line_break_ends_a_sentence_and_a_decimal_point_does_not():
    assert sentences("3.5 버전입니다. 좋습니다.\n\n표 보기") == ["3.5 버전입니다.", "좋습니다.", "표 보기"]


def test_sentences_of_many_texts_stay_apart():
    assert sentences_of(["가다. 오다.", "", "하나"]) == [sentences("가다. 오다."), [], ["하나"]]


def test_no_text_has_nothing():
    assert content_morphemes(" ") == [] and sentences("\n") == []


def test_a_line_of_many_sentences_is_split_as_its_sentences_are():
    sentence = "셀을 보호하려면 시트를 암호로 잠급니다."

    assert sentences(f"{sentence} " * 1000) == [sentence] * 1000
    assert "".join(sentences("가나다라 " * 4000)).replace(" ", "") == "가나다라" * 4000
