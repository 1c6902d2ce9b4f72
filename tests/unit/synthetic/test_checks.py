import pytest

from kosparse.config import FilterPairsConfig
from kosparse.synthetic.checks import copy, duplicate_key, form, language, leakage, length
from kosparse.synthetic.scores import Scored
from tests.unit.synthetic.builders import pair

CONFIG = FilterPairsConfig()


def scored(query, tokens=(), **scores):
    return Scored(pair(query), list(tokens), scores)


@pytest.mark.parametrize(("query", "reason"), [("표", "too_short"), ("셀 보호", ""), ("가" * 101, "too_long")])
def test_length_is_counted_in_characters(query, reason):
    assert length(scored(query), CONFIG) == reason


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("vLLM 설치", ""),
        ("셀 cell 보호", ""),
        ("protect cell", "not_korean"),
        ("C# 책", "not_korean"),
        ("セル 보호 방법", "foreign_script"),
        ("細胞 보호 방법", "foreign_script"),
        ("12345", "not_korean"),
    ],
)
def test_a_query_is_korean_when_it_has_two_syllables_and_no_kana_or_han(query, reason):
    assert language(scored(query), CONFIG) == reason


@pytest.mark.parametrize(
    "query",
    [
        "이 문서에 따르면 셀을 어떻게 보호하나요?",
        "위 글에서 설명하는 기능은?",
        "다음 지문의 주제는?",
        "본문에 나온 메뉴 이름",
        "이 글은 무엇에 대한 설명인가요?",
        "question: 셀 보호",
        "검색어: 셀 보호",
        "이 명령을 사용하려면 어떻게 하나요?",
        "해당 메뉴에는 무엇이 있나요?",
        "셀 범위를 이 대화 상자에서 정하는 법",
    ],
)
def test_a_query_that_speaks_of_its_source_leaks(query):
    assert leakage(scored(query), CONFIG) == "leakage"


@pytest.mark.parametrize(
    "query",
    [
        "이 문서를 PDF로 저장하기",
        "다음 문서로 이동하는 키",
        "문서에 표 넣기",
        "본문 글꼴 크기",
        "JSON 가져오기",
        "검색어를 강조 표시",
        "메뉴 모음 숨기기",
        "글자 사이 간격",
        "같이 옵션 바꾸기",
    ],
)
def test_documents_as_a_subject_do_not_leak(query):
    assert leakage(scored(query), CONFIG) == ""


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("제목과 주제를 입력하고, 키워드를 입력하세요.", "command"),
        ("표제용지에 주소를 인쇄해보세요?", "command"),
        ("파일을 선택하십시오", "command"),
        ("암호를 넣으면 셀 보호가 켜집니다.", "statement"),
        ("셀을 어떻게 보호하세요?", ""),
        ("셀을 보호하는 방법을 알려 주세요", ""),
        ("셀 보호가 됩니까?", ""),
        ("셀 보호 해제되나요", ""),
        ("매크로가 안 돼요", ""),
        ("셀 보호", ""),
    ],
)
def test_answers_are_no_queries(query, reason):
    assert form(scored(query), CONFIG) == reason


def test_claims_and_what_people_typed_may_state():
    claim = Scored(pair("전입신고가 늦으면 과태료를 냅니다.", query_type="claim"), [])
    typed = Scored(pair("시트를 잠그세요", origin="query_to_document"), [])
    assert form(claim, CONFIG) == form(typed, CONFIG) == ""


def test_only_long_queries_can_be_copies():
    long = "셀을 고른 뒤 보호 탭에서 잠금을 선택합니다"
    assert copy(scored(long, copy_share=0.8, stretch_share=0.9), CONFIG) == "copy"
    assert copy(scored(long, copy_share=0.79, stretch_share=0.9), CONFIG) == ""
    assert copy(scored("셀 보호", copy_share=1.0, stretch_share=0.9), CONFIG) == ""
    assert copy(scored(long, copy_share=0.3, stretch_share=0.95), CONFIG) == "copy"


def key(query, tokens, **changes):
    from kosparse.synthetic.scores import numbers

    return duplicate_key(Scored(pair(query, **changes), tokens.split()), numbers(query))


def test_order_and_endings_do_not_make_another_query_but_numbers_do():
    assert key("셀 보호", "셀 보호") == key("보호할 셀은", "보호 셀")
    assert key("10행 삭제", "행 삭제") != key("20행 삭제", "행 삭제")
    assert key("당뇨병 치료", "당뇨병 치료") != key("고혈압 치료", "고혈압 치료")


def test_a_written_passage_does_not_repeat_its_query():
    written = {"origin": "query_to_document", "passage_id": "synthetic/1#0"}
    assert key("셀 보호", "셀 보호", **written) != key("셀 보호", "셀 보호")


def test_queries_without_content_words_are_compared_as_text():
    assert key("왜요?", "") != key("저기요", "")
