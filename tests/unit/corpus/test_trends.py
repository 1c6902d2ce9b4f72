from collections import Counter
from datetime import date, timedelta
from math import comb

import numpy as np
import pytest

from kosparse.config import DetectTrendsConfig
from kosparse.corpus.trends import Rise, boost, by_token, detect, remaining, rising, shares, shrunk, terms_of
from kosparse.records import Document

TODAY = date(2024, 6, 30)
CONFIG = DetectTrendsConfig(recent_days=30, min_count=3)


def _documents(text, count, day, start=0):
    return [Document(id=f"{text}{start + number}", text=text, date=day.isoformat()) for number in range(count)]


def test_a_word_of_recent_documents_rises_and_a_steady_one_does_not():
    old = _documents("셀 보호", 40, TODAY - timedelta(days=100))
    new = _documents("셀과 영상", 10, TODAY) + _documents("셀 보호", 10, TODAY, start=40)
    found = detect(old + new, CONFIG, TODAY)
    assert [rise.term for rise in found.rises] == ["영상"]
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


def _rise(term, **nouns):
    return Rise(term, 5, 0, 0.01, 1.5, nouns or {term: 1.5})


def test_terms_are_said_in_tokens_that_begin_a_word_whatever_the_case():
    tokens, unmatched = by_token([_rise("셀"), _rise("calc")], ["▁셀", "셀", "▁Calc", "▁calc", "▁CALC2"])
    assert tokens == {"▁셀": 1.5, "▁Calc": 1.5, "▁calc": 1.5}
    assert unmatched == {}


def test_word_piece_vocabularies_begin_words_without_a_sign():
    assert by_token([_rise("셀")], ["셀", "##셀"])[0] == {"셀": 1.5}


def test_a_term_of_several_tokens_is_unmatched():
    assert by_token([_rise("피벗")], ["▁피", "벗", "##피벗"]) == ({}, {"피벗": 1.5})


def test_the_terms_of_a_document_are_its_nouns_and_their_runs():
    runs = [["큰", "언어", "모델"], ["표"]]
    assert terms_of(runs, 1) == {"큰", "언어", "모델", "표"}
    assert terms_of(runs, 2) - terms_of(runs, 1) == {"큰 언어", "언어 모델"}
    assert terms_of(runs, 3) - terms_of(runs, 2) == {"큰 언어 모델"}


def test_a_term_of_two_nouns_is_found_where_each_of_them_is_as_frequent_as_before():
    old = _documents("언어를 봅니다. 모델을 봅니다.", 40, TODAY - timedelta(days=100))
    new = _documents("언어 모델을 봅니다.", 20, TODAY)
    (rise,) = detect(old + new, CONFIG, TODAY).rises
    assert (rise.term, rise.recent, rise.earlier) == ("언어 모델", 20, 0)
    assert rise.nouns == {}  # it is told, and no noun is weighed up for the company it keeps
    assert not detect(old + new, DetectTrendsConfig(min_count=3, ngram_max=1), TODAY).rises


def test_nouns_in_different_lines_or_with_something_between_are_not_adjacent():
    old = _documents("옛 글", 20, TODAY - timedelta(days=100))
    new = _documents("언어\n모델의 검색, 시트", 20, TODAY)
    assert {rise.term for rise in detect(old + new, CONFIG, TODAY).rises} == {"언어", "모델", "검색", "시트"}


def test_one_rise_in_the_same_documents_is_told_once_as_the_longest_term():
    recent = Counter({"언어": 20, "모델": 20, "언어 모델": 20})
    assert [rise.term for rise in rising(recent, Counter(), 40, 40, CONFIG)] == ["언어 모델"]


def test_of_a_run_and_its_parts_the_clearer_rise_is_told():
    # The noun rises in more documents than the run does: the run is one of its contexts.
    recent, earlier = Counter({"모델": 30, "언어": 20, "언어 모델": 10}), Counter({"언어": 20})
    assert [rise.term for rise in rising(recent, earlier, 40, 40, CONFIG)] == ["모델"]
    # The run alone rises: the noun was there before.
    recent, earlier = Counter({"모델": 30, "언어": 20, "언어 모델": 20}), Counter({"모델": 15, "언어": 20})
    assert [rise.term for rise in rising(recent, earlier, 40, 40, CONFIG)] == ["언어 모델"]


def test_a_run_and_a_part_of_its_part_are_one_rise_too():
    recent = Counter({"큰 언어 모델": 20, "언어": 20, "언어 모델": 20, "시트": 20})
    assert [rise.term for rise in rising(recent, Counter(), 40, 40, CONFIG)] == ["큰 언어 모델", "시트"]


def test_a_run_that_rises_gives_each_rising_noun_an_equal_share():
    (rise,) = rising(Counter({"언어": 20, "모델": 20, "언어 모델": 20}), Counter({"언어": 20}), 40, 40, CONFIG)
    whole = 1 + (1 - 0.5 / 20.5)
    assert rise.boost == pytest.approx(whole)
    assert rise.nouns == {"모델": pytest.approx(1 + (whole - 1) / 2)}  # the other one is as frequent as before


def test_a_noun_gets_at_most_what_its_own_rise_is_worth():
    boosts = {"언어 모델": 1.8, "언어": 1.1, "모델": 1.6}
    assert shares("언어 모델", boosts.__getitem__) == {"언어": 1.1, "모델": 1.4}


def test_a_token_that_several_terms_boost_gets_the_largest_boost():
    rises = [_rise("언어 모델", 언어=1.2, 모델=1.4), _rise("모델 검색", 모델=1.3, 검색=1.3)]
    assert by_token(rises, ["▁언어", "▁모델"]) == ({"▁언어": 1.2, "▁모델": 1.4}, {})
    assert by_token([Rise("언어 모델", 5, 0, 0.01, 1.5, {})], ["▁언어"]) == ({}, {"언어 모델": 1.5})


def test_what_a_boost_has_above_1_halves_with_every_half_life():
    assert [remaining(days, 90.0) for days in (-5, 0, 90, 180)] == [1.0, 1.0, 0.5, 0.25]
    assert remaining(10_000, 0.0) == 1.0
    assert _rise("셀").faded(0.5) == Rise("셀", 5, 0, 0.01, 1.25, {"셀": 1.25})


def test_boosts_fade_while_no_newer_document_comes_and_stay_within_their_bounds():
    documents = _documents("셀", 20, TODAY - timedelta(days=100)) + _documents("영상", 20, TODAY)
    boosts = []
    for days in (0, 90, 180, 100_000):
        (rise,) = detect(documents, CONFIG, TODAY + timedelta(days=days)).rises
        assert rise.nouns == {"영상": rise.boost}
        boosts.append(rise.boost)
    height = 1 - 0.5 / 20.5
    assert boosts == pytest.approx([1 + height, 1 + height / 2, 1 + height / 4, 1.0])
    told = detect(documents, CONFIG, TODAY + timedelta(days=90)).note
    assert "The newest document is 90 days old: 50% of each boost above 1 is left." in told
    endless = DetectTrendsConfig(min_count=3, half_life_days=0)
    assert detect(documents, endless, TODAY + timedelta(days=90)).rises[0].boost == pytest.approx(1 + height)
    assert "days old" not in detect(documents, endless, TODAY + timedelta(days=90)).note


def test_how_far_boosts_have_shrunk_is_told_from_what_was_written():
    written = {"as_of": "2024-06-30", "terms": {"셀": 1.2, "표": 1.8}}
    assert shrunk(written, 90.0, TODAY) == 0.0
    assert shrunk(written, 90.0, TODAY + timedelta(days=90)) == pytest.approx(0.4)
    assert shrunk(written, 0.0, TODAY + timedelta(days=90)) == 0.0
    assert shrunk({"as_of": "2024-06-30", "terms": {}}, 90.0, TODAY + timedelta(days=90)) == 0.0
    assert shrunk({"terms": {"셀": 2.0}}, 90.0, TODAY) == 0.0
