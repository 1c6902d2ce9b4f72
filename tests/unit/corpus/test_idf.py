import math

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from kosparse.corpus.idf import document_frequencies, idf, unit_idf
from kosparse.corpus.units import Morphemes, Pieces, load_units
from kosparse.errors import InputError


@pytest.fixture
def tokenizer():
    words = ["[UNK]", "셀", "보호", "시트", "표"]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.add_special_tokens(["[UNK]", "[CLS]"])
    return made


def test_each_text_counts_a_token_once(tokenizer):
    frequencies, total = document_frequencies(["셀 셀 보호", "셀"], Pieces(tokenizer))
    assert (frequencies[1], frequencies[2], total) == (2, 1, 2)


def test_weights_are_lucenes_and_unseen_tokens_get_the_most(tokenizer):
    weights, seen = unit_idf(["셀 보호", "셀 시트", "셀 셀"], Pieces(tokenizer))
    assert weights == {
        "셀": pytest.approx(math.log(1 + 0.5 / 3.5), abs=1e-6),
        "보호": pytest.approx(math.log(1 + 2.5 / 1.5), abs=1e-6),
        "시트": pytest.approx(math.log(1 + 2.5 / 1.5), abs=1e-6),
        "표": pytest.approx(math.log(1 + 3.5 / 0.5), abs=1e-6),
    }
    assert seen == 3


def test_special_tokens_have_no_weight(tokenizer):
    weights, _ = unit_idf(["셀 모르는말"], Pieces(tokenizer))
    assert not {"[UNK]", "[CLS]"} & weights.keys()


def test_idf_falls_with_frequency_and_stays_positive():
    values = [idf(frequency, 100) for frequency in range(101)]
    assert values == sorted(values, reverse=True) and values[-1] > 0


def test_more_texts_than_a_batch_are_all_counted(tokenizer):
    assert document_frequencies((text for text in ["셀"] * 1000), Pieces(tokenizer)) == ({1: 1000}, 1000)


def test_a_long_text_is_not_truncated(tokenizer, tmp_path):
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    frequencies, _ = document_frequencies(["셀 셀 셀 표"], load_units(tmp_path))
    assert frequencies == {1: 1, 4: 1}


def test_no_passages_is_an_error(tokenizer):
    with pytest.raises(InputError, match="no passages"):
        unit_idf([], Pieces(tokenizer))


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_folder_without_a_tokenizer_is_named(tmp_path, content):
    if content:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match="not a tokenizer") as caught:
        load_units(tmp_path)
    assert "tokenizer.json" in caught.value.where


def test_morphemes_are_counted_by_their_own_ids_and_unknown_ones_not_at_all():
    weights, seen = unit_idf(["셀을 보호합니다.", "셀에 표를 넣습니다."], Morphemes(["보호", "셀", "시트"]))
    assert weights == {
        "보호": pytest.approx(math.log(2), abs=1e-6),
        "셀": pytest.approx(math.log(1.2), abs=1e-6),
        "시트": pytest.approx(math.log(6), abs=1e-6),
    }
    assert seen == 2


def test_a_folder_with_morphemes_is_read_as_such(tmp_path):
    (tmp_path / "units.json").write_text('["보호", "셀"]', encoding="utf-8")
    assert load_units(tmp_path).of(["셀을 보호합니다.", "표"]) == [[1, 0], []]
