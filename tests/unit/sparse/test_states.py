"""Encoder states: computed once per text, whatever it is asked together with."""

import os
import shutil
import time

import numpy as np
import pytest
from transformers import AutoModelForMaskedLM, AutoTokenizer

from kosparse.errors import ResourceError
from kosparse.sparse import states as module
from kosparse.sparse.states import cached_states, encoder_states, length_groups
from tests.fakes.tiny_encoder import write_tiny_encoder

TEXTS = ["셀을 보호합니다.", "표를 넣습니다. 행과 열을 고릅니다.", "인쇄 미리 보기"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = write_tiny_encoder(tmp_path_factory.mktemp("encoder"), TEXTS)
    return AutoModelForMaskedLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


@pytest.fixture
def read_texts(monkeypatch):
    """Counts the texts that went through the encoder."""
    counted = []
    original = module.read
    monkeypatch.setattr(module, "read", lambda *given: counted.append(len(given[1])) or original(*given))
    return counted


def _states(encoder, texts, cache):
    model, tokenizer = encoder
    return encoder_states(model, tokenizer, texts, cache=cache, body="body", max_length=32)


def test_only_new_texts_are_read(encoder, tmp_path, read_texts):
    _states(encoder, TEXTS[:2], tmp_path)
    _states(encoder, TEXTS, tmp_path)
    _states(encoder, TEXTS[::-1], tmp_path)
    assert read_texts == [2, 1]


def test_order_and_repeats_are_those_asked_for(encoder, tmp_path):
    alone = [_states(encoder, [text], tmp_path / str(row)).of(0) for row, text in enumerate(TEXTS)]
    _states(encoder, TEXTS[:2], tmp_path)
    wanted = [2, 0, 0, 1]
    found = _states(encoder, [TEXTS[row] for row in wanted], tmp_path)
    assert len(found) == 4
    for position, row in enumerate(wanted):
        assert found.of(position) == pytest.approx(alone[row], abs=2e-3)


def test_states_are_mapped_not_copied_in_whatever_order_they_lie_on_disk(encoder, tmp_path):
    _states(encoder, TEXTS, tmp_path)
    assert isinstance(_states(encoder, TEXTS, tmp_path).values, np.memmap)
    more = [TEXTS[2], *TEXTS[:2], "새 글", TEXTS[1]]
    found = _states(encoder, more, tmp_path)
    assert [len(block) for block in found.values.blocks] == [
        found.starts[to] - found.starts[at] for at, to in ((0, 1), (1, 3), (3, 4), (4, 5))
    ]
    assert all(isinstance(block, np.memmap) for block in found.values.blocks)
    whole = np.concatenate(found.values.blocks)
    assert (found.values[:] == whole).all() and (found.values[2:-1] == whole[2:-1]).all()
    assert (found.values[[5, 0, 9, 0]] == whole[[5, 0, 9, 0]]).all() and found.values.shape == whole.shape


def test_a_full_disk_is_told_before_anything_is_read(encoder, tmp_path, monkeypatch, read_texts):
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ResourceError, match=r"(?s)the encoder states of 3 texts take .* KOSPARSE_CACHE"):
        _states(encoder, TEXTS, tmp_path)
    assert not read_texts and not list(tmp_path.rglob("*.partial"))


def test_what_an_interruption_leaves_is_removed(encoder, tmp_path, monkeypatch):
    def interrupted(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(module, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _states(encoder, TEXTS, tmp_path)
    assert not list(tmp_path.rglob("*.partial"))

    ours, theirs = tmp_path / "body-32" / "killed.partial", tmp_path / "body-32" / "busy.partial"
    for folder in (ours, theirs):
        folder.mkdir()
        (folder / "values.npy").write_bytes(b"half")
    long_ago = time.time() - 2 * 86400
    for path in (ours / "values.npy", ours):
        os.utime(path, (long_ago, long_ago))
    _states(encoder, TEXTS, tmp_path)
    assert not ours.exists() and theirs.exists()


def test_what_another_process_finishes_meanwhile_is_no_error(encoder, tmp_path):
    _states(encoder, TEXTS[:2], tmp_path)
    (folder,) = (tmp_path / "body-32").iterdir()
    (folder.parent / "gone.partial").symlink_to(tmp_path / "nowhere")
    shutil.copytree(folder, folder.parent / "theirs.partial")
    (folder.parent / "theirs.partial" / "values.npy").unlink()
    assert len(_states(encoder, TEXTS, tmp_path)) == 3


def test_the_cache_has_all_or_says_none(encoder, tmp_path):
    _states(encoder, TEXTS[:2], tmp_path)
    assert cached_states(TEXTS, cache=tmp_path, body="body", max_length=32) is None
    assert cached_states(TEXTS[:2], cache=tmp_path, body="other", max_length=32) is None
    assert len(cached_states([TEXTS[1]], cache=tmp_path, body="body", max_length=32)) == 1


def test_no_texts_give_no_states(encoder, tmp_path):
    assert len(_states(encoder, [], tmp_path)) == 0


def test_groups_hold_texts_of_like_length():
    assert length_groups([2, 5, 4], 10) == [[1, 2], [0]]
