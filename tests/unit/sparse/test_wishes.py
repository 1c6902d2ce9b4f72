"""The dictionary asks passages for the translations of what stands in them."""

import numpy as np
import pytest
import torch

from kosparse.records import SynonymEntry
from kosparse.sparse.wishes import Wishes, dictionary_wishes


class Words:
    """Units that are whole words, numbered as they come."""

    names: tuple[str, ...] = ()
    special: frozenset[str] = frozenset()

    def __init__(self):
        self.ids = {}

    def of(self, texts):
        return [[self.ids.setdefault(word, len(self.ids)) for word in text.split()] for text in texts]


def test_a_passage_with_one_side_is_asked_for_the_other():
    units = Words()
    entries = [SynonymEntry(ko="셀", en="cell", p=0.9), SynonymEntry(ko="표", en="table", p=0.5)]

    wishes = dictionary_wishes(units, ["셀 보호", "cell 표", "셀 cell", "글꼴"], entries, least_p=0.8)

    assert wishes.wanted == {0: {units.ids["cell"]: 0.9}, 1: {units.ids["셀"]: 0.9}}


def test_rows_of_chosen_passages_are_found_by_their_line():
    wishes = Wishes({7: {3: 1.0}})

    loss = wishes.hinge(torch.tensor([[0.2]]), np.array([3]), [7], margin=0.5, rows=[0])
    assert float(loss) == pytest.approx(0.3)


def test_hinge_asks_up_to_the_margin_weighted_by_probability():
    wishes = Wishes({0: {3: 0.8}, 1: {3: 1.0}})
    weights = torch.tensor([[0.1], [0.7]])

    # Passage 0 lacks .4 of the margin .5 and counts .8; passage 1 has enough: (.32 + 0) / 2.
    assert float(wishes.hinge(weights, np.array([3]), [0, 1], margin=0.5)) == pytest.approx(0.16)
