import csv
import json

import pytest

from kosparse.errors import InputError
from kosparse.records import SynonymEntry
from kosparse.synonyms.export import nori_words, write_synonyms
from kosparse.synonyms.solr import escape, lint, parse_rule, rules


def entry(ko, en, p=0.9, **fields):
    return SynonymEntry(ko=ko, en=en, p=p, **fields)


def parse_solr(line):
    """How Lucene's SolrSynonymParser reads a rule: backslash takes the next character as it is."""
    sides, term, terms, i = [], "", [], 0
    while i < len(line):
        if line[i] == "\\":
            term, i = term + line[i + 1], i + 2
        elif line.startswith("=>", i):
            sides, terms, term, i = [*sides, [*terms, term.strip()]], [], "", i + 2
        elif line[i] == ",":
            terms, term, i = [*terms, term.strip()], "", i + 1
        else:
            term, i = term + line[i], i + 1
    return [*sides, [*terms, term.strip()]]


def test_pairs_are_lines_so_that_partners_of_one_term_do_not_become_synonyms():
    assert rules([entry("배", "pear"), entry("배", "ship")]) == ["배, pear", "배, ship"]


def test_only_complete_groups_share_a_line():
    entries = [entry(ko, en) for ko in ("이메일", "전자 메일") for en in ("email", "mail")]

    assert rules(entries) == ["이메일, 전자 메일, email, mail"]
    assert rules(entries[:3]) == ["이메일, email", "이메일, mail", "전자 메일, email"]


def test_one_way_entries_are_arrows_and_wrong_pairs_stay_out():
    entries = [
        entry("막대 차트", "chart", relation="hypernym", direction="ko_to_en"),
        entry("배", "ship", direction="en_to_ko"),
        entry("가", "b", relation="antonym"),
    ]

    assert rules(entries) == ["ship => ship, 배", "막대 차트 => 막대 차트, chart"]


def test_any_term_is_read_back_as_it_was_written():
    for term in ("a, b", "a => b", "back\\slash", "#hash", '"quoted"', "웃음😀", "a=>b, c\\"):
        line = f"{escape(term)}, 다음"
        assert parse_solr(line) == [[term, "다음"]]
        assert parse_rule(line) == ([term, "다음"], [term, "다음"])
    assert not escape("# 주석").startswith("#")


def test_control_characters_and_line_ends_become_spaces():
    assert escape("두\n줄\x07\u2028끝\t") == "두 줄 끝"


def test_files_by_band_and_a_table_any_reader_can_read(tmp_path):
    entries = [
        entry("셀", "cell", 0.97, sources=["aligned", "curated"], curated=True),
        entry("가\t나", 'say "b"', 0.85),
    ]

    write_synonyms(tmp_path, entries)

    assert (tmp_path / "synonyms.txt").read_text().splitlines() == ['가 나, say "b"', "셀, cell"]
    assert (tmp_path / "synonyms_high.txt").read_text().splitlines() == ["셀, cell"]
    assert (tmp_path / "synonyms_medium.txt").read_text().splitlines() == ['가 나, say "b"']
    analysis = json.loads((tmp_path / "analyzer.json").read_text())["analysis"]
    assert "kosparse_synonyms" in analysis["analyzer"]["kosparse_search"]["filter"]
    assert "kosparse_synonyms" not in analysis["analyzer"]["kosparse_index"]["filter"]
    assert not (tmp_path / "changes.tsv").exists()
    with open(tmp_path / "dictionary.tsv", newline="") as file:
        rows = list(csv.DictReader(file, dialect="excel-tab"))
    assert rows[0] == {
        "ko": "셀",
        "en": "cell",
        "p": "0.9700",
        "relation": "equivalent",
        "direction": "both",
        "sources": "aligned+curated",
        "count": "1",
        "curated": "1",
    }
    assert (rows[1]["ko"], rows[1]["en"]) == ("가 나", 'say "b"')


@pytest.mark.parametrize("line", ["a, ", "a => b => c", "a, 😀", "=> b"])
def test_lint_names_the_line_that_no_search_engine_would_load(line):
    with pytest.raises(InputError) as error:
        lint(["셀, cell", line], "synonyms.txt")

    assert error.value.where == "synonyms.txt:2"


def test_lint_finds_a_rule_that_stands_twice_in_another_order():
    with pytest.raises(InputError, match="line 1 again"):
        lint(["셀, cell", "cell, 셀"])


def test_nori_is_told_the_compound_words_and_not_the_simple_ones():
    assert nori_words([entry("데이터베이스 관리", "x"), entry("글꼴색", "y")]) == ["글꼴색"]


def test_changes_tell_what_was_removed_changed_and_added(tmp_path):
    before = [entry("셀", "cell"), entry("행", "row", 0.81), entry("표", "table", 0.9)]
    after = [entry("열", "column"), entry("행", "rows", 0.99), entry("표", "table", 0.94)]

    write_synonyms(tmp_path, after, before)

    rows = [line.split("\t") for line in (tmp_path / "changes.tsv").read_text().splitlines()]
    assert rows == [
        ["change", "ko", "en", "before", "after"],
        ["removed", "셀", "cell", "equivalent both 0.90", ""],
        ["changed", "행", "rows", "equivalent both 0.81", "equivalent both 0.99"],
        ["added", "열", "column", "", "equivalent both 0.90"],
    ]


def test_the_page_holds_terms_as_data_never_as_markup(tmp_path):
    write_synonyms(tmp_path, [entry("</script><script>나쁨", "<b>bad</b>")])

    page = (tmp_path / "dictionary.html").read_text()
    data = page.split('id="data">')[1].split("</script>")[0]
    assert json.loads(data)[0]["ko"] == "</script><script>나쁨"
    assert "<b>bad" not in page


def test_an_empty_dictionary_is_written(tmp_path):
    write_synonyms(tmp_path, [])

    assert (tmp_path / "synonyms.txt").read_text() == ""
    assert len((tmp_path / "dictionary.tsv").read_text().splitlines()) == 1
