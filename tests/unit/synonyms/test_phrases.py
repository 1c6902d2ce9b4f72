from kosparse.synonyms import phrases


def runs_of(text):
    return [text[run.start : run.end] for run in next(phrases.noun_runs([text]))]


def test_nouns_next_to_each_other_are_one_run_and_particles_end_it():
    assert runs_of("피벗 테이블을 시트에 삽입합니다") == ["피벗 테이블", "시트", "삽입"]


def test_a_line_end_ends_a_run():
    assert runs_of("셀\n시트") == ["셀", "시트"]


def test_suffixes_of_a_run_start_at_nouns():
    text = "관계형 데이터베이스"
    (run,) = next(phrases.noun_runs([text]))

    assert run.suffixes(text) == ["관계형 데이터베이스", "데이터베이스"]


def test_stretches_of_a_run_are_terms_with_their_number_of_nouns():
    text = "차트 마법사 단추"

    assert phrases.korean_terms(next(phrases.noun_runs([text])), text, longest=2) == {
        "차트": 1,
        "차트 마법사": 2,
        "마법사": 1,
        "마법사 단추": 2,
        "단추": 1,
    }


def test_modified_nouns_and_nominal_verbs_are_phrases_and_sentences_are_not():
    texts = ["틀린 단어", "찾기 및 바꾸기", "도구 모음", "시트를 보호", "합니다", ""]

    assert phrases.is_noun_phrase(texts) == [True, True, True, False, False, False]


def test_bigrams_do_not_jump_function_words():
    assert phrases.english_terms("Delete the rows of a table") == {"delete", "row", "table"}
    assert phrases.english_terms("Pivot tables") == {"pivot", "table", "pivot table"}


def test_accented_letters_belong_to_words():
    assert phrases.english_words("Bézier curves") == ["bézier", "curve"]
