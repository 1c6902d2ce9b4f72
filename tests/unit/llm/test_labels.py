from __future__ import annotations

import math

import pytest

from kosparse.llm.labels import log_odds, numbered_log_odds, swapped_log_odds
from kosparse.records import AnswerToken, Completion


def completion(**probabilities: float) -> Completion:
    logprobs = {token: math.log(p) for token, p in probabilities.items()}
    return Completion(text="", first_token_logprobs=logprobs)


def test_spellings_of_a_label_are_summed() -> None:
    answer = completion(**{"예": 0.5, " 예": 0.25, "아니오": 0.2, "음": 0.05})
    assert log_odds(answer, ["예"], ["아니오"]) == pytest.approx(math.log(0.75 / 0.2))


def test_a_token_that_begins_a_label_counts_for_it() -> None:
    assert log_odds(completion(**{"예": 0.3, "아": 0.6}), ["예"], ["아니오", "아니요"]) == pytest.approx(math.log(0.5))


def test_a_token_that_begins_both_labels_counts_for_neither() -> None:
    answer = completion(**{"같": 0.5, "같다": 0.3, "같지": 0.1})
    assert log_odds(answer, ["같다"], ["같지 않다"]) == pytest.approx(math.log(3))


def test_a_missing_label_is_as_likely_as_the_weakest_alternative() -> None:
    assert log_odds(completion(**{"예": 0.9, "음": 0.01}), ["예"], ["아니오"]) == pytest.approx(math.log(90))
    assert log_odds(completion(**{"아니오": 0.9, "음": 0.01}), ["예"], ["아니오"]) == pytest.approx(-math.log(90))


def test_without_either_label_there_are_no_odds() -> None:
    assert log_odds(completion(음=0.9, 글쎄=0.1), ["예"], ["아니오"]) is None
    assert log_odds(Completion(text="예"), ["예"], ["아니오"]) is None


def test_swapping_the_labels_flips_the_sign() -> None:
    answer = completion(**{"예": 0.7, "아니오": 0.1})
    assert log_odds(answer, ["예"], ["아니오"]) == pytest.approx(-log_odds(answer, ["아니오"], ["예"]))


def test_a_liking_for_a_label_goes_out_when_labels_are_swapped() -> None:
    # True odds of yes are 4 to 1; the model finds "A" three times as likely as it should, whatever it means.
    straight = completion(A=12 / 13, B=1 / 13)
    swapped = completion(A=3 / 7, B=4 / 7)
    assert swapped_log_odds(straight, swapped, ["A"], ["B"]) == pytest.approx(math.log(4))


def test_one_answer_without_labels_leaves_no_odds() -> None:
    assert swapped_log_odds(completion(A=0.9, B=0.1), completion(음=0.9), ["A"], ["B"]) is None


def lines(*tokens: str, **odds: float) -> Completion:
    """An answer of these tokens; each label's alternatives say how likely 예 is after it, by place."""
    told = []
    for place, token in enumerate(tokens):
        p = odds.get(f"at{place}", 0.5)
        told.append(AnswerToken(text=token, logprobs={"예": math.log(p), "아": math.log(1 - p), "1": -9.0}))
    return Completion(text="".join(tokens), tokens=told)


def test_each_numbered_line_has_the_odds_of_its_label() -> None:
    answer = lines("1", ".", " 예", "\n", "2", ". ", "아", "니", "오", at2=0.8, at6=0.25)
    found = numbered_log_odds(answer, 2, ["예"], ["아니오"])
    assert found == pytest.approx([math.log(4), -math.log(3)])


def test_lines_are_told_by_their_number_and_what_is_missing_has_no_odds() -> None:
    answer = lines("3", ") ", "예", "\n", "1", ": ", "예", "\n9. ", "예", "\n1. ", "예", at2=0.8, at6=0.6, at10=0.1)
    found = numbered_log_odds(answer, 3, ["예"], ["아니오"])
    assert found[1] is None
    assert [found[0], found[2]] == pytest.approx([math.log(1.5), math.log(4)])


def test_a_cut_off_or_unnumbered_answer_has_no_odds() -> None:
    assert numbered_log_odds(lines("1", ". "), 1, ["예"], ["아니오"]) == [None]
    assert numbered_log_odds(lines("예"), 1, ["예"], ["아니오"]) == [None]
    assert numbered_log_odds(Completion(text="1. 예"), 1, ["예"], ["아니오"]) == [None]
