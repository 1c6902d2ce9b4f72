import pytest

from kosparse.synonyms.patterns import mine_patterns


def pairs(texts, **options):
    return [(c.ko, c.en, c.count) for c in mine_patterns(texts, **options)[0]]


def test_both_orders_are_one_pair():
    assert pairs(["데이터베이스(database)를 엽니다.", "Database (데이터베이스) 열기"]) == [
        ("데이터베이스", "database", 2)
    ]


def test_full_width_parentheses_count():
    assert pairs(["매크로（macro）를 실행합니다."]) == [("매크로", "macro", 1)]


@pytest.mark.parametrize(
    "text",
    [
        "새 인공지능[AI]을",
        "AI[인공지능]를",
        "인공지능<sup>AI</sup>을",
        "AI<sup>인공지능</sup>를",
        "인공지능(영어: AI)을",
        "인공지능(약칭 AI)을",
        "인공지능(이하 “AI”)을",
        "인공지능, 즉 AI 기술이",
        "AI, 즉 인공지능이",
        "인공지능, 이른바 'AI'가",
        "AI라고 하는 인공지능은",
        "‘인공지능’이라고 부르는 AI는",
        "인공지능/AI",
        "AI/인공지능",
    ],
)
def test_a_term_may_be_glossed_in_many_forms(text):
    assert pairs([text, "인공지능(AI)"]) == [("인공지능", "AI", 2)]


def test_a_gloss_with_its_abbreviation_gives_both():
    found = mine_patterns(["관계 데이터베이스 관리 시스템(database management system, DBMS)을 씁니다."])[0]

    assert {(c.en, c.features.get("initials")) for c in found} == {("database management system", None), ("DBMS", 1.0)}


def test_lists_in_brackets_and_paths_are_no_glosses():
    found, rejects = mine_patterns(["함수(number, type)", "문서/home/user", "파일/home/문서"])

    assert found == []
    assert {reject.reason for reject in rejects} == {"enumeration"}


def test_the_english_boundary_is_agreed_on_as_well():
    texts = ["Use the new Pivot Table(피벗 테이블)", "Pivot Table(피벗 테이블)", "pivot table(피벗 테이블)"]

    assert pairs(texts) == [("피벗 테이블", "pivot table", 3)]


def test_the_left_boundary_is_a_noun_run():
    assert pairs(["새로 만든 피벗 테이블(pivot table)을 봅니다."]) == [("피벗 테이블", "pivot table", 1)]


def test_the_boundary_is_what_most_occurrences_agree_on():
    texts = ["회사 데이터베이스(database)", "새 데이터베이스(database)를", "이 데이터베이스(database)는"]

    assert pairs(texts) == [("데이터베이스", "database", 3)]


def test_labels_and_particle_glosses_are_rejected_with_a_reason():
    found, rejects = mine_patterns(["설정(KDConfig)을", "버전(V26)을", "LibreOffice(으)로"])

    assert found == []
    assert sorted(reject.reason for reject in rejects) == ["en_code", "en_code", "no_noun_phrase"]


def test_rare_pairs_are_rejected():
    found, rejects = mine_patterns(["매크로(macro)", "매크로(macro)", "차트(chart)"], min_count=2)

    assert [c.ko for c in found] == ["매크로"]
    assert [(r.reason, r.row["ko"]) for r in rejects] == [("rare", "차트")]


def test_a_candidate_carries_where_it_was_seen():
    (candidate,), _ = mine_patterns(["여기서 매크로(macro)를\n실행합니다."])

    assert candidate.examples == ["여기서 매크로(macro)를 실행합니다."]
    assert candidate.source == "pattern"


def test_no_text_gives_nothing():
    assert mine_patterns([]) == ([], [])
