"""Masked language modelling on the collection: what is learnt, and what stays as it was without it."""

import pytest
import torch

from kosparse.errors import InputError
from kosparse.jsonl import read_json
from kosparse.sparse import adaptation as module
from kosparse.sparse.adaptation import Adaptation
from kosparse.sparse.backbone import body_fingerprint, build_backbone, load_backbone
from tests.fakes.tiny_encoder import write_tiny_encoder

KOREAN = [f"시트 {n}의 셀을 보호하려면 도구 메뉴에서 문서 보호를 고릅니다." for n in range(30)]
ENGLISH = [f"To protect the cells of sheet {n} choose protect document in the tools menu." for n in range(30)]
PAIRS = list(zip(KOREAN, ENGLISH, strict=True))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return write_tiny_encoder(tmp_path_factory.mktemp("adaptation"), KOREAN + ENGLISH)


def build(encoder, folder, pairs=(), units="pieces", **how):
    settings = {"steps": 20, "seconds": 60.0, "learning_rate": 3e-3, "seed": 13, **how}
    options = {"layers": 2, "prune_vocabulary": True, "max_length": 64, "active_quantile": 0.8, "units": units}
    given = Adaptation(**settings) if how or settings["steps"] else None
    return build_backbone(
        encoder, KOREAN, pairs, folder / "backbone", cache=folder / "states", adaptation=given, **options
    )


def body(folder):
    model, tokenizer, _ = load_backbone(folder / "backbone")
    return body_fingerprint(model, tokenizer)


@pytest.mark.parametrize("pairs,units", [((), "pieces"), (PAIRS, "morphemes")])
def test_what_is_hidden_is_guessed_better(encoder, tmp_path, pairs, units, capsys):
    numbers = build(encoder, tmp_path, pairs, units)

    assert numbers["mlm_loss"] < 0.8 * numbers["mlm_loss_before"] and numbers["mlm_steps"] == 20
    assert read_json(tmp_path / "backbone" / "backbone.json")["mlm_loss"] == numbers["mlm_loss"]
    assert "adapted to the collection in 20 steps" in capsys.readouterr().err


def test_parallel_text_is_read_two_languages_at_once(encoder, tmp_path, monkeypatch):
    seen, loss = [], module._loss
    monkeypatch.setattr(module, "_loss", lambda model, batch: [seen.append(batch), loss(model, batch)][1])
    build(encoder, tmp_path, PAIRS, steps=1)

    _, tokenizer, _ = load_backbone(tmp_path / "backbone")
    ids, labels = seen[-2]["input_ids"], seen[-2]["labels"]
    ends = ((ids == tokenizer.sep_token_id) & (labels < 0)).sum(1)
    assert sorted(ends.tolist()) == [1] * 8 + [2] * 8, "half of a batch"
    assert 0.15 < float((labels >= 0).sum() / (ids != tokenizer.pad_token_id).sum()) < 0.45
    assert not torch.isin(labels, torch.tensor(tokenizer.all_special_ids)).any(), "only words are hidden"


def test_off_the_encoder_stays_as_it_was_and_twice_gives_the_same(encoder, tmp_path):
    plain = build_backbone(
        encoder,
        KOREAN,
        [],
        tmp_path / "plain" / "backbone",
        cache=tmp_path / "states",
        layers=2,
        prune_vocabulary=True,
        max_length=64,
        active_quantile=0.8,
        units="pieces",
    )
    off = build(encoder, tmp_path / "off", steps=0)
    for name in ("once", "again", "other"):
        build(encoder, tmp_path / name, steps=3, seed=14 if name == "other" else 13)

    assert off == plain and "mlm_loss" not in off
    assert body(tmp_path / "off") == body(tmp_path / "plain") != body(tmp_path / "once")
    assert body(tmp_path / "once") == body(tmp_path / "again") != body(tmp_path / "other")


def test_an_encoder_that_got_worse_is_put_back(encoder, tmp_path, capsys):
    build(encoder, tmp_path / "off", steps=0)
    numbers = build(encoder, tmp_path / "on", steps=3, learning_rate=10.0)

    assert numbers["mlm_loss"] == numbers["mlm_loss_before"]
    assert body(tmp_path / "on") == body(tmp_path / "off")
    assert "adaptation did not help" in capsys.readouterr().err


def test_time_that_is_up_ends_it(encoder, tmp_path):
    assert build(encoder, tmp_path, steps=10**6, seconds=0.2)["mlm_steps"] < 1000


def test_a_tokenizer_without_a_mask_is_refused(encoder, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoder)
    tokenizer.mask_token = None
    with pytest.raises(InputError, match="no mask token"):
        module._Rows(tokenizer, KOREAN, [], seed=0)


def test_nothing_to_read_is_said(encoder):
    from transformers import AutoTokenizer

    with pytest.raises(InputError, match="no text to adapt to"):
        module._Rows(AutoTokenizer.from_pretrained(encoder), [], [], seed=0)
