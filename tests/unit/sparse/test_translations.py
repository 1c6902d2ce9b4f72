"""The dictionary as rules over morphemes."""

import pytest

from kosparse.records import SynonymEntry
from kosparse.sparse.translations import Rule, Translations, rules_of


def test_an_entry_gives_a_rule_each_way_with_a_share_of_its_probability():
    rules = list(rules_of([SynonymEntry(ko="셀 보호", en="Cell protection", p=0.9)], least_p=0.8, share=0.5))
    ko, en = ("셀", "보호"), ("cell", "protection")
    assert rules == [Rule(en, ko, 0.45), Rule(ko, en, 0.45)]


@pytest.mark.parametrize(("direction", "source"), [("ko_to_en", ("ship",)), ("en_to_ko", ("배",))])
def test_one_way_stays_one_way(direction, source):
    entry = SynonymEntry(ko="배", en="ship", p=1.0, direction=direction)
    [rule] = rules_of([entry], least_p=0.8, share=1.0)
    assert rule.source == source, "a query in the language it starts from finds text in the other"


def test_unsure_entries_long_terms_and_a_share_of_nothing_give_no_rule():
    entries = [
        SynonymEntry(ko="표", en="table", p=0.79),
        SynonymEntry(ko="셀", en="one two three four", p=1.0),
        SynonymEntry(ko="html", en="HTML", p=1.0),
    ]
    assert not list(rules_of(entries, least_p=0.8, share=0.5))
    assert not list(rules_of([SynonymEntry(ko="셀", en="cell", p=1.0)], least_p=0.8, share=0.0))


def test_sources_are_found_where_their_words_stand_together_and_weighed():
    cell, pair = Rule(("cell",), ("셀",), 0.5), Rule(("cell", "range"), ("셀", "범위"), 0.4)
    found = dict(Translations([pair, cell]).of(["cell", "range", "of", "cell"], [3.0, 2.0, 1.0, 1.5]))
    assert found == {cell: 4.5, pair: 3.0}
    assert not list(Translations().of(["cell"], [1.0]))


def test_of_two_equal_rules_the_heavier_counts():
    assert Translations([Rule(("a",), ("가",), 0.2), Rule(("a",), ("가",), 0.3)]).rules == [Rule(("a",), ("가",), 0.3)]
