"""What the passages hold, sparse in memory."""

import numpy as np
import pytest

from kosparse.corpus.units import Morphemes, collection_morphemes
from kosparse.sparse import own_units
from kosparse.sparse.morpheme_head import Saturation
from kosparse.sparse.own_units import OwnUnits
from kosparse.sparse.translations import Rule, Translations

TEXTS = ["셀을 보호합니다. 셀을 봅니다.", "", "표를 넣습니다.", "table 하나"]
UNITS = Morphemes(["cell", "table", "넣", "보호", "셀", "표"])
SATURATION = Saturation(UNITS, 3.0, Translations([Rule(("셀",), ("cell",), 0.8)]))


@pytest.mark.parametrize("block", [1, 3, 256])
def test_texts_and_units_are_those_of_the_dense_table(monkeypatch, block):
    monkeypatch.setattr(own_units, "ENCODED", block)
    own, table = OwnUnits(SATURATION, TEXTS), SATURATION.of(TEXTS).half().float()
    assert own.shape == (4, 6) and (table != 0).any() and (table < 0).any()
    assert own.of(slice(None)).equal(table) and own.of([3, 0]).equal(table[[3, 0]])
    assert own.of(slice(0, None, 2)).equal(table[::2])
    assert own.of_units(np.array([0, 4, 5])).equal(table[:, [0, 4, 5]])


def test_no_texts_hold_nothing():
    assert OwnUnits(SATURATION, []).of_units(np.array([1, 2])).shape == (0, 2)


def test_dimensions_are_the_morphemes_of_the_most_texts(monkeypatch, capsys):
    monkeypatch.setattr("kosparse.corpus.units._AT_ONCE", 2)
    texts = ["셀 표", "셀 차트 차트 차트", "셀 표", "문서"]
    assert collection_morphemes(texts, 10) == (["문서", "셀", "차트", "표"], 9 / 4)
    assert not capsys.readouterr().err
    assert collection_morphemes(texts, 3) == (["문서", "셀", "표"], 9 / 4)
    assert "1 of 4 morphemes, those in the fewest texts, are no dimension" in capsys.readouterr().err
    assert collection_morphemes([], 3) == ([], 0.0)
