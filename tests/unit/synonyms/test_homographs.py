import numpy as np

from kosparse.records import SynonymEntry
from kosparse.synonyms.homographs import mark_homographs


class Meanings:
    """Two words mean the same where they have the same vector."""

    fingerprint, dimensions = "meanings", 2
    sides = {"ship": 0, "boat": 0, "pear": 1}

    def encode(self, texts, kind):
        return np.eye(2, dtype=np.float32)[[self.sides[text] for text in texts]]


def directions(*pairs, **fields):
    entries = [SynonymEntry(ko=ko, en=en, p=0.9, **fields) for ko, en in pairs]
    return [entry.direction for entry in mark_homographs(entries, Meanings())]


def test_a_term_with_partners_of_different_meaning_is_found_but_not_expanded():
    assert directions(("배", "ship"), ("배", "pear"), ("선박", "ship")) == ["en_to_ko", "en_to_ko", "both"]


def test_partners_of_one_meaning_go_both_ways():
    assert directions(("배", "ship"), ("배", "boat")) == ["both", "both"]


def test_what_a_curator_wrote_stays():
    assert directions(("배", "ship"), ("배", "pear"), curated=True) == ["both", "both"]


def test_acronyms_say_nothing_of_a_meaning():
    assert directions(("배", "ship"), ("배", "SS")) == ["both", "both"]
