import pytest

from kosparse.synthetic.variants import mistyped, respaced, variants, without_particles

QUERIES = [
    "셀을 보호하는 방법",
    "피벗 테이블 만들기",
    "PDF로 내보내기",
    "매크로 기록이 안 돼요",
    "표의 열 너비를 10cm로",
]


def test_each_kind_gives_at_most_one_variant_that_differs():
    found = variants("셀을 보호하는 방법은?", ["particles", "spacing", "typo"])
    assert dict(found)["particles"] == "셀 보호하는 방법?"
    assert [kind for kind, _ in found] == sorted(
        {kind for kind, _ in found}, key=["particles", "spacing", "typo"].index
    )
    assert all(text != "셀을 보호하는 방법은?" for _, text in found)


@pytest.mark.parametrize("query", QUERIES)
def test_variants_are_the_same_every_time(query):
    kinds = ["particles", "spacing", "typo"]
    assert variants(query, kinds) == variants(query, kinds)


@pytest.mark.parametrize("query", QUERIES)
def test_a_typo_is_one_syllable_of_the_same_length(query):
    text = mistyped(query)
    assert len(text) == len(query)
    assert sum(one != other for one, other in zip(query, text, strict=True)) == 1
    changed = next(other for one, other in zip(query, text, strict=True) if one != other)
    assert "가" <= changed <= "힣"


@pytest.mark.parametrize("query", ["", "API", "a", "셀", "12 34", "\n", "🙂"])
def test_there_is_no_typo_where_no_word_has_two_syllables(query):
    assert mistyped(query) == query
    assert variants(query, ["typo"]) == []


def test_particles_stay_inside_words_and_behind_verbs():
    assert without_particles("가을 이미지를 넣기") == "가을 이미지 넣기"
    assert without_particles("") == ""


def test_spacing_moves_one_blank_and_nothing_else():
    assert respaced("피벗 테이블 만들기") == "피벗테이블 만들기"
    for query in QUERIES:
        assert respaced(query).replace(" ", "") == query.replace(" ", "")
