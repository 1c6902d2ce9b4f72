from kosparse.synonyms.parenthesis import mine_parentheses


def pairs(texts, **options):
    return [(c.ko, c.en, c.count) for c in mine_parentheses(texts, **options)[0]]


def test_both_orders_are_one_pair():
    assert pairs(["데이터베이스(database)를 엽니다.", "Database (데이터베이스) 열기"]) == [
        ("데이터베이스", "database", 2)
    ]


def test_full_width_parentheses_count():
    assert pairs(["매크로（macro）를 실행합니다."]) == [("매크로", "macro", 1)]


def test_the_left_boundary_is_a_noun_run():
    assert pairs(["새로 만든 피벗 테이블(pivot table)을 봅니다."]) == [("피벗 테이블", "pivot table", 1)]


def test_the_boundary_is_what_most_occurrences_agree_on():
    texts = ["회사 데이터베이스(database)", "새 데이터베이스(database)를", "이 데이터베이스(database)는"]

    assert pairs(texts) == [("데이터베이스", "database", 3)]


def test_labels_and_particle_glosses_are_rejected_with_a_reason():
    found, rejects = mine_parentheses(["설정(KDConfig)을", "버전(V26)을", "LibreOffice(으)로"])

    assert found == []
    assert sorted(reject.reason for reject in rejects) == ["en_code", "en_code", "no_noun_phrase"]


def test_rare_pairs_are_rejected():
    found, rejects = mine_parentheses(["매크로(macro)", "매크로(macro)", "차트(chart)"], min_count=2)

    assert [c.ko for c in found] == ["매크로"]
    assert [(r.reason, r.row["ko"]) for r in rejects] == [("rare", "차트")]


def test_a_candidate_carries_where_it_was_seen():
    (candidate,), _ = mine_parentheses(["여기서 매크로(macro)를\n실행합니다."])

    assert candidate.examples == ["여기서 매크로(macro)를 실행합니다."]
    assert candidate.source == "parenthesis"


def test_no_text_gives_nothing():
    assert mine_parentheses([]) == ([], [])
