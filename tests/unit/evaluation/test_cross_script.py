import pytest

from kosparse.evaluation.cross_script import cross_script, expanded_morphemes
from kosparse.evaluation.judgements import Judgements
from kosparse.records import AlignedText, Passage, SynonymEntry

TEXTS = {"cell": "셀을 보호합니다.", "table": "표를 넣습니다.", "chart": "차트의 축을 바꿉니다."}
QUERIES = {"q1": "셀 보호", "q2": "표 삽입", "q3": "차트 축"}
QRELS = {"q1": {"cell": 1, "table": 0}, "q2": {"table": 1, "cell": 1}, "q3": {"chart": 1}}
JUDGED = Judgements(QUERIES, QRELS, "real", "test", {})


def _aligned(key, ko, en, source="block"):
    return AlignedText(ko=ko, en=en, source=source, key=key)


PARALLEL = [
    _aligned("cell", "셀을 보호합니다.", "Protects cells."),
    _aligned("table", "표를", "a table"),
    _aligned("chart", "차트의 축", "axes of a chart"),
    _aligned("chart", "을 바꿉니다.", "are changed."),
    _aligned("cell", "셀 보호", "Protecting cells", "heading"),
    _aligned("elsewhere", "차트 축", "Chart axis", "keyword"),
]


def test_pages_of_korean_queries_become_english_where_most_of_them_is_translated():
    korean, _ = cross_script(JUDGED, TEXTS, PARALLEL)

    assert korean.name == "ko_en" and list(korean.queries) == ["q1", "q3"], "half of q2's page has no translation"
    assert korean.documents(TEXTS) == {
        "cell": "Protects cells.",
        "table": TEXTS["table"],
        "chart": "axes of a chart\nare changed.",
    }


def test_passages_of_replaced_pages_are_cut_anew():
    korean, _ = cross_script(JUDGED, TEXTS, PARALLEL)
    passages = [Passage(id=f"{name}#0", document_id=name, position=0, text=text) for name, text in TEXTS.items()]

    found = {passage.document_id: passage.text for passage in korean.passages(passages)}

    assert found == korean.documents(TEXTS)


def test_english_queries_are_the_headings_aligned_in_a_relevant_page():
    _, english = cross_script(JUDGED, TEXTS, PARALLEL)

    assert english.name == "en_ko" and english.queries == {"q1": "Protecting cells"}
    assert english.documents(TEXTS) == TEXTS and english.qrels == {"q1": QRELS["q1"]}


def test_without_parallel_text_there_is_no_direction():
    assert cross_script(JUDGED, TEXTS, []) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("매크로 보안", ["매크로", "보안", "macro"]),
        ("피벗 테이블의 셀", ["피벗", "테이블", "셀", "pivot", "table", "cell"]),
        ("macro", ["macro", "매크로"]),
        ("표", ["표"]),
        ("", []),
    ],
)
def test_the_other_side_of_every_term_is_added(query, expected):
    entries = [
        SynonymEntry(ko="매크로", en="macro", p=0.9),
        SynonymEntry(ko="셀", en="cell", p=0.2, curated=True),
        SynonymEntry(ko="피벗 테이블", en="pivot table", p=0.95),
        SynonymEntry(ko="테이블", en="desk", p=0.95),
        SynonymEntry(ko="표", en="chart", p=0.4),
    ]
    assert expanded_morphemes(["표", query], entries) == [["표"], expected], "the longest term alone"
