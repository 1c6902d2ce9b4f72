import random

import numpy as np
import pytest

from kosparse.synthetic.near_duplicates import _candidates, near_duplicates


def alike(texts):
    """Vectors that call everything the same."""
    return np.ones((len(texts), 1), dtype=np.float32)


def found(queries, tokens=None, **changes):
    settings = {"min_jaccard": 0.6, "min_cosine": 0.9, "encode": alike, **changes}
    return near_duplicates(queries, tokens or [query.split() for query in queries], **settings)


def test_the_first_of_those_alike_stays():
    queries = ["셀 보호 방법", "차트 축 눈금", "셀 보호 방법 안내", "방법 셀 보호"]
    assert found(queries) == {2: 0, 3: 0}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10행 삭제 방법", "20행 삭제 방법"),
        ("Calc 셀 보호 방법", "Writer 셀 보호 방법"),
        ("셀 3 병합 방법", "셀 병합 방법"),
    ],
)
def test_another_number_or_name_makes_another_query(one, other):
    tokens = [["행", "삭제", "방법", "셀"], ["행", "삭제", "방법", "셀"]]
    assert found([one, other], tokens) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("서울 전입 신고 방법", "부산 전입 신고 방법"),
        ("엑셀 표 병합 방법", "한글 표 병합 방법"),  # Kiwi takes the second for a common noun
        ("삼성 노트북 충전 방법", "노트북 충전 방법"),
    ],
)
def test_another_korean_name_makes_another_query(one, other):
    assert found([one, other]) == {}


def test_the_same_korean_name_makes_the_same_query():
    assert found(["서울 전입 신고 방법", "전입 신고 방법 서울"]) == {1: 0}
    assert found(["표 색인 삽입 방법", "삽입 방법 색인 표"]) == {1: 0}, "whatever Kiwi takes 표 for"


def test_letters_of_either_case_are_one_name():
    assert found(["pdf 문서 보내기", "PDF 문서 보내기"], [["pdf", "문서", "보내"]] * 2) == {1: 0}


def test_the_embedding_has_the_last_word():
    vectors = {"셀 보호 설정 방법": [1.0, 0.0], "셀 보호 해제 방법": [0.8, 0.6]}
    encode = lambda texts: np.array([vectors[text] for text in texts])  # noqa: E731
    assert found(list(vectors), encode=encode, min_cosine=0.9) == {}
    assert found(list(vectors), encode=encode, min_cosine=0.7) == {1: 0}


def test_only_queries_with_a_candidate_are_encoded():
    asked = []
    found(["셀 보호", "셀 보호", "차트 축"], encode=lambda texts: asked.extend(texts) or alike(texts))
    assert asked == ["셀 보호", "셀 보호"]
    assert found(["셀"], encode=lambda texts: pytest.fail("nothing to compare")) == {}
    assert found([], encode=lambda texts: pytest.fail("nothing to compare")) == {}


def test_a_query_without_morphemes_is_like_no_other():
    assert found(["?", "!"], [[], []]) == {}


@pytest.mark.parametrize("least", [0.5, 0.6, 0.75, 1.0])
def test_no_pair_above_the_threshold_is_missed(least):
    rng = random.Random(7)
    sets = [frozenset(rng.sample("abcdefghij", rng.randint(1, 6))) for _ in range(200)]
    expected = {
        (later, earlier)
        for later in range(len(sets))
        for earlier in range(later)
        if len(sets[later] & sets[earlier]) / len(sets[later] | sets[earlier]) >= least
    }
    assert set(_candidates(sets, [()] * len(sets), least)) == expected
