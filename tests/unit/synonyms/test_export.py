import csv

from kosparse.records import SynonymEntry
from kosparse.synonyms.export import escape, rules, write_synonyms


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


def test_hypernyms_are_one_way_and_wrong_pairs_stay_out():
    assert rules([entry("막대 차트", "chart", relation="hypernym"), entry("가", "b", relation="antonym")]) == [
        "막대 차트 => 막대 차트, chart"
    ]


def test_any_term_is_read_back_as_it_was_written():
    for term in ("a, b", "a => b", "back\\slash", "#hash", '"quoted"', "웃음😀", "a=>b, c\\"):
        assert parse_solr(f"{escape(term)}, 다음") == [[term, "다음"]]
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
    with open(tmp_path / "dictionary.tsv", newline="") as file:
        rows = list(csv.DictReader(file, dialect="excel-tab"))
    assert rows[0] == {
        "ko": "셀",
        "en": "cell",
        "p": "0.9700",
        "relation": "equivalent",
        "sources": "aligned+curated",
        "count": "1",
        "curated": "1",
    }
    assert (rows[1]["ko"], rows[1]["en"]) == ("가 나", 'say "b"')


def test_an_empty_dictionary_is_three_files(tmp_path):
    write_synonyms(tmp_path, [])

    assert (tmp_path / "synonyms.txt").read_text() == ""
    assert len((tmp_path / "dictionary.tsv").read_text().splitlines()) == 1
