"""Words at the beginning of a text count for more."""

import math

import pytest

from kosparse.corpus.lead import lead_weights, led_frequencies


def test_the_first_word_counts_for_most_and_the_extra_fades():
    weights = lead_weights(200, 2.0)
    assert weights[0] / weights[20] == pytest.approx(3 / (1 + 2 / math.e))
    assert weights[0] / weights[199] == pytest.approx(3, rel=1e-3)
    assert (weights[1:] < weights[:-1]).all()


@pytest.mark.parametrize("count", [1, 5, 300])
def test_a_text_counts_for_as_many_words_as_it_has(count):
    assert lead_weights(count, 2.0).sum() == pytest.approx(count)


def test_frequencies_are_the_weights_of_a_words_places():
    first, second, third = lead_weights(3, 1.0)
    assert led_frequencies(["셀", "시트", "셀"], 1.0) == pytest.approx({"셀": first + third, "시트": second})


def test_without_a_lead_words_are_counted():
    assert led_frequencies(["셀", "시트", "셀"], 0.0) == {"셀": 2, "시트": 1}
    assert led_frequencies([], 2.0) == {} and lead_weights(0, 2.0).shape == (0,)
