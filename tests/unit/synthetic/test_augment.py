import json

import pytest

from kosparse import prompts
from kosparse.records import SynonymEntry
from kosparse.synthetic.augment import augment_query, paraphrase, parse, substitute
from kosparse.synthetic.substitution import Lexicon
from kosparse.synthetic.writer import Unusable, Writer
from tests.fakes.chat import FakeChatModel
from tests.unit.synthetic.builders import pair

ENTRIES = [
    SynonymEntry(ko="셀", en="cell", p=0.95),
    SynonymEntry(ko="시트", en="sheet", p=0.9),
    SynonymEntry(ko="매크로", en="macro", p=0.99),
    SynonymEntry(ko="표", en="table", p=0.9, relation="related"),
    SynonymEntry(ko="피벗 테이블", en="pivot table", p=0.9),
]


def variants(query, limit=5):
    return Lexicon(ENTRIES).variants(query, limit)


def paraphrases(text):
    return FakeChatModel(lambda request: json.dumps({"query": text}, ensure_ascii=False))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("셀 보호", ["cell 보호"]),
        ("매크로는 어떻게 실행하나요?", ["macro는 어떻게 실행하나요?"]),
        ("cell을 지우는 법", ["셀을 지우는 법"]),
        ("sheet를 복사하기", ["시트를 복사하기"]),
        ("피벗 테이블 만들기", ["pivot table 만들기"]),
        ("Cell 색 바꾸기", ["셀 색 바꾸기"]),
        ("여백 설정", []),
        ("", []),
    ],
)
def test_a_term_gives_way_to_its_counterpart(query, expected):
    assert variants(query) == expected


def test_the_particle_follows_the_new_term():
    entries = [SynonymEntry(ko="글꼴", en="font", p=0.9), SynonymEntry(ko="열", en="column", p=0.9)]
    assert Lexicon(entries).variants("글꼴을 바꾸기", 1) == ["font를 바꾸기"]
    assert Lexicon(entries).variants("column을 숨기기", 1) == ["열을 숨기기"]


def test_a_term_inside_a_longer_word_is_left_alone():
    assert variants("셀렉션 도구") == []
    assert variants("excellent 보기") == []


def test_a_related_term_is_no_substitute():
    assert variants("표 그리기") == []


def test_one_term_is_replaced_at_a_time_the_surest_first():
    assert variants("시트에서 매크로 실행") == ["시트에서 macro 실행", "sheet에서 매크로 실행"]
    assert variants("시트에서 매크로 실행", 1) == ["시트에서 macro 실행"]
    assert variants("시트에서 매크로 실행", 0) == []


def test_a_derived_pair_keeps_its_passage_and_names_its_parent():
    original = pair("셀 보호", scores={"overlap": 1.0})
    (derived,) = substitute([original], Lexicon(ENTRIES), 1)
    assert (derived.query, derived.passage_id, derived.parent) == ("cell 보호", "cell#0", original.id)
    assert (derived.origin, derived.query_type, derived.scores) == ("augmented", "synonym", {})
    assert derived.id != original.id


def test_a_paraphrase_carries_the_prompt_it_came_from():
    written = paraphrase([pair("셀 보호")], Writer(paraphrases("칸을 잠그는 방법")))
    (derived,) = written.rows
    assert (derived.query, derived.query_type) == ("칸을 잠그는 방법", "paraphrase")
    assert derived.provenance.prompt == prompts.load("augment_query").fingerprint


def test_a_paraphrase_that_changes_nothing_is_unusable():
    with pytest.raises(Unusable) as error:
        parse(pair("셀 보호"), '{"query": "셀  보호!"}', Writer(paraphrases("")), prompts.load("augment_query"))
    assert error.value.reason == "unchanged"


def test_augment_query_works_with_a_dictionary_a_model_or_both():
    assert augment_query("셀 보호", ENTRIES) == ["cell 보호"]
    assert augment_query("셀 보호", model=paraphrases("칸 잠그기")) == ["칸 잠그기"]
    assert augment_query("셀 보호", ENTRIES, model=paraphrases("칸 잠그기")) == ["cell 보호", "칸 잠그기"]
    assert augment_query("셀 보호") == []
