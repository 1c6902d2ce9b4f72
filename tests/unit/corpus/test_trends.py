from collections import Counter
from datetime import date, timedelta
from math import comb

import numpy as np
import pytest

from kosparse.config import DetectTrendsConfig
from kosparse.corpus.trends import Rise, boost, by_token, detect, rising
from kosparse.records import Document

TODAY = date(2024, 6, 30)
CONFIG = DetectTrendsConfig(recent_days=30, min_count=3)


def _documents(text, count, day, start=0):
    return [Document(id=f"{text}{start + number}", text=text, date=day.isoformat()) for number in range(count)]


def test_a_word_of_recent_documents_rises_and_a_steady_one_does_not():
    old = _documents("셀 보호", 40, TODAY - timedelta(days=100))
    new = _documents("셀 인공지능", 10, TODAY) + _documents("셀 보호", 10, TODAY, start=40)
    found = detect(old + new, CONFIG, TODAY)
    assert [rise.term for rise in found.rises] == ["인공", "지능"] or [rise.term for rise in found.rises] == [
        "인공지능"
    ]
    assert found.rises[0].recent == 10 and found.rises[0].earlier == 0
    assert "20 documents from 2024-06-01 to 2024-06-30 against 40 earlier" in found.note


def test_the_p_value_is_fishers():
    # 3 of 3 recent and 0 of 3 earlier documents: 1 / C(6, 3).
    (rise,) = rising(Counter(a=3), Counter(), 3, 3, DetectTrendsConfig(min_count=3, false_discovery_rate=0.06))
    assert rise.p_adjusted == pytest.approx(1 / comb(6, 3))
    assert not rising(Counter(a=3), Counter(), 3, 3, DetectTrendsConfig(min_count=3, false_discovery_rate=0.04))


def test_many_tested_terms_make_each_harder_to_believe():
    recent, steady = Counter(a=3), Counter({f"b{number}": 3 for number in range(50)})
    config = DetectTrendsConfig(min_count=3, false_discovery_rate=0.06)
    assert rising(recent, Counter(), 3, 3, config)
    assert not rising(recent + steady, steady, 3, 3, config)


def test_words_drawn_alike_from_both_windows_hardly_ever_rise():
    rng = np.random.default_rng(1)
    false_alarms = 0
    for _ in range(50):
        recent = Counter({f"t{n}": int(count) for n, count in enumerate(rng.binomial(60, 0.2, 100))})
        earlier = Counter({f"t{n}": int(count) for n, count in enumerate(rng.binomial(140, 0.2, 100))})
        false_alarms += bool(rising(recent, earlier, 60, 140, CONFIG))
    assert false_alarms <= 5


def test_rare_terms_are_not_reported_however_new():
    config = DetectTrendsConfig(min_count=5, false_discovery_rate=0.9)
    assert rising(Counter(a=4), Counter(), 50, 50, config) == []
    assert [rise.term for rise in rising(Counter(a=5), Counter(), 50, 50, config)] == ["a"]


def test_a_falling_term_is_not_rising():
    assert rising(Counter(a=1), Counter(a=40), 50, 50, CONFIG) == []


def test_boost_stays_within_its_bounds_and_grows_with_the_ratio():
    values = [boost(recent, 10, 1000, 1000, 2.0) for recent in (0, 10, 11, 20, 100, 1000)]
    assert values[:2] == [1.0, 1.0]
    assert values == sorted(values) and values[-1] < 2.0
    assert boost(1000, 0, 1000, 1000, 1.0) == 1.0


@pytest.mark.parametrize(
    ("documents", "note"),
    [
        ([], "no document has a date"),
        ([Document(id="a", text="셀 보호")], "no document has a date"),
        (_documents("셀", 5, TODAY), "all 5 dated documents fall between 2024-06-30 and 2024-06-30"),
        (_documents("셀", 5, TODAY + timedelta(days=9)), "all dates lie in the future"),
    ],
)
def test_where_nothing_can_be_compared_the_note_says_why(documents, note):
    found = detect(documents, CONFIG, TODAY)
    assert note in found.note and found.rises == ()


def test_future_documents_are_left_out_and_counted():
    old, new = _documents("셀", 9, TODAY - timedelta(days=99)), _documents("표", 9, TODAY)
    found = detect(old + new + _documents("미래", 50, TODAY + timedelta(days=365)), CONFIG, TODAY)
    assert [rise.term for rise in found.rises] == ["표"]
    assert "50 documents are dated in the future" in found.note


def test_timestamps_with_and_without_zone_are_days():
    rows = [
        Document(id=str(n), text="셀", date=day)
        for n, day in enumerate(["2024-06-30T10:00:00Z", "2024-06-30", "2024-01-01T00:00:00+09:00"])
    ]
    assert "2 documents from 2024-06-01 to 2024-06-30 against 1 earlier" in detect(rows, CONFIG, TODAY).note


def _rise(term):
    return Rise(term, 5, 0, 0.01, 1.5)


def test_terms_are_said_in_tokens_that_begin_a_word_whatever_the_case():
    tokens, unmatched = by_token([_rise("셀"), _rise("calc")], ["▁셀", "셀", "▁Calc", "▁calc", "▁CALC2"])
    assert tokens == {"▁셀": 1.5, "▁Calc": 1.5, "▁calc": 1.5}
    assert unmatched == {}


def test_word_piece_vocabularies_begin_words_without_a_sign():
    assert by_token([_rise("셀")], ["셀", "##셀"])[0] == {"셀": 1.5}


def test_a_term_of_several_tokens_is_unmatched():
    assert by_token([_rise("피벗")], ["▁피", "벗", "##피벗"]) == ({}, {"피벗": 1.5})
