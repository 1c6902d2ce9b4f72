import numpy as np
import pytest
import torch

from kosparse.sparse import matches
from kosparse.sparse.matches import keep_matches, match_units
from kosparse.sparse.states import EncoderStates


def states(seed=0):
    values = np.random.default_rng(seed).normal(size=(12, 4)).astype(np.float16)
    return EncoderStates(values, np.array([0, 3, 8, 12]), np.arange(12, dtype=np.int32))


ROWS = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))


def test_the_best_match_is_over_a_texts_own_tokens(tmp_path):
    best, center = match_units(ROWS, states(), tmp_path)
    for text in range(3):
        tokens = states().of(text)
        assert best[text].float().numpy() == pytest.approx((tokens @ ROWS.T).amax(0).numpy(), abs=1e-2)
        assert center[text].numpy() == pytest.approx(tokens.mean(0).numpy())


def test_what_was_matched_is_not_matched_again(tmp_path):
    first = match_units(ROWS, states(), tmp_path)
    keep_matches(ROWS, states(), torch.full((3, 5), 7.0), first[1], tmp_path)
    assert match_units(ROWS, states(), tmp_path)[0].eq(7).all()


@pytest.mark.parametrize("change", ["rows", "states"])
def test_other_rows_and_other_states_have_tables_of_their_own(tmp_path, change):
    match_units(ROWS, states(), tmp_path)
    rows, other = (ROWS * 2, states()) if change == "rows" else (ROWS, states(5))
    found, _ = match_units(rows, other, tmp_path)
    assert found.numpy() == pytest.approx(match_units(rows, other)[0].numpy())
    assert len(list((tmp_path / "matches").rglob("*.npz"))) == 2


def test_only_new_texts_are_matched(tmp_path, monkeypatch):
    whole = states()
    first = EncoderStates(whole.values[:8], whole.starts[:3], whole.pieces[:8])
    match_units(ROWS, first, tmp_path)
    matched = []
    monkeypatch.setattr(matches, "track", lambda texts, *_, **__: matched.extend(texts) or texts)

    found, centers = match_units(ROWS, whole, tmp_path)

    assert matched == [2]
    expected, means = match_units(ROWS, whole)
    assert found.equal(expected) and centers.equal(means)


def test_a_large_table_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(matches, "MOST_BYTES", 20)
    match_units(ROWS, states(), tmp_path)
    assert not (tmp_path / "matches").exists()
