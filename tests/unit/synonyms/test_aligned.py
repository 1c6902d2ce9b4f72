import pytest

from kosparse.corpus.splitting import split_of
from kosparse.records import AlignedText
from kosparse.synonyms.aligned import mine_associations, mine_short_rows, usable


def row(ko, en, source="block", key="k"):
    return AlignedText(ko=ko, en=en, source=source, key=key)


def key_in(split):
    return next(str(i) for i in range(1000) if split_of(str(i)) == split)


def test_headings_and_keywords_of_test_pages_are_not_looked_at_but_blocks_are():
    rows = [
        row("가", "a", source, key_in(split))
        for source in ("heading", "keyword", "block")
        for split in ("test", "train")
    ]

    assert [(r.source, split_of(r.key)) for r in usable(rows)] == [
        ("heading", "train"),
        ("keyword", "train"),
        ("block", "test"),
        ("block", "train"),
    ]


def test_short_rows_are_pairs_with_their_share_of_the_korean_term():
    rows = [row("서식", "Format"), row("서식", "Formats"), row("서식", "Form"), row("셀", "Cell")]

    found, rejects = mine_short_rows(rows)

    assert [(c.ko, c.en, c.count) for c in found] == [("서식", "format", 2), ("서식", "form", 1), ("셀", "cell", 1)]
    assert [c.features["aligned_share"] for c in found] == pytest.approx([2 / 3, 1 / 3, 1])
    assert rejects == []


def test_sentences_are_passed_over_and_codes_rejected():
    rows = [
        row("이 명령은 시트를 모두 보호합니다.", "This command protects all sheets."),
        row("자동 필터", "AutoFilter"),
    ]

    found, rejects = mine_short_rows(rows)

    assert found == []
    assert [r.reason for r in rejects] == ["en_code"]


def test_words_that_keep_company_are_paired_and_repeats_do_not_count():
    rows = [
        row("매크로를 실행합니다.", "Runs the macro."),
        row("매크로를 삭제합니다.", "Removes the macro."),
        row("새 매크로를 기록합니다.", "Records a new macro."),
        row("시트를 봅니다.", "Views the sheet."),
    ]

    (found,) = mine_associations([*rows, *rows], min_count=3)

    assert (found.ko, found.en, found.count) == ("매크로", "macro", 3)
    assert found.features["dice"] == 1.0
    assert found.examples[0] == "매크로를 실행합니다. | Runs the macro."


def test_two_nouns_go_with_two_words():
    rows = [
        row(f"{verb} 피벗 테이블", f"{en} pivot table")
        for verb, en in (("큰", "Large"), ("작은", "small"), ("긴", "Long"))
    ]

    assert [(c.ko, c.en) for c in mine_associations(rows)] == [("피벗 테이블", "pivot table")]


def test_empty_parallel_text_gives_nothing():
    assert mine_associations([]) == []
    assert mine_short_rows([]) == ([], [])
    assert mine_associations([row("가", "b")]) == []
