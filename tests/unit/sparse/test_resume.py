"""A training that is killed, or short of memory, ends with the weights of one that was not."""

import multiprocessing
import os
import signal

import pytest
import torch
from transformers.models.bert.modeling_bert import BertIntermediate

from kosparse.config import TrainSparseConfig
from kosparse.corpus.units import load_units
from kosparse.errors import KosparseError, ResourceError
from kosparse.records import SynonymEntry
from kosparse.sparse import checkpoints
from kosparse.sparse.checkpoints import Checkpoints
from kosparse.sparse.fit import fit
from kosparse.sparse.full_student import PieceNetwork
from kosparse.sparse.training import Trainer
from tests.fakes.tiny_training import tiny_training_set, write_tiny_backbone


@pytest.fixture(scope="module", params=["morphemes", "pieces"])
def tiny(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    return folder, tiny_training_set(write_tiny_backbone(folder, request.param)[0])


ENTRIES = (SynonymEntry(ko="글꼴", en="chart", p=0.97, sources=["aligned"]),)


def train(tiny, folder, entries=(), **settings):
    root, data = tiny
    options = {"max_steps": 4, "batch_size": 4, "active_dims": 60.0, "checkpoint_seconds": 0.0}
    config = TrainSparseConfig(**{**options, **settings})
    idf = dict.fromkeys(load_units(root / "backbone").names, 1.0)
    kept = Checkpoints(folder.parent / "checkpoints")
    given = {"idf": idf, "boosts": {}, "entries": entries, "cache": root / "states", "checkpoints": kept}
    return fit(config, data, root / "backbone", folder, **given)[0]


def weights(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.safetensors")}


def killed(monkeypatch, at):
    """The process dies in this step, counted from 1."""
    step, counted = Trainer._step, []

    def once(self, batch):
        counted.append(1)
        if len(counted) == at:
            raise KeyboardInterrupt
        return step(self, batch)

    monkeypatch.setattr(Trainer, "_step", once)


@pytest.fixture(scope="module")
def through(tiny, tmp_path_factory):
    """Trainings that nobody interrupts, each made once: history, and the bytes of the weights."""
    made = {}

    def training(**settings):
        name = repr(settings)
        if name not in made:
            folder = tmp_path_factory.mktemp("through") / "model"
            made[name] = clockless(train(tiny, folder, **settings)), weights(folder)
        return made[name]

    return training


def clockless(trained):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in trained.history]


def goes_on_to_the_same(tiny, folder, through, capsys, step, **settings):
    """Started again, it ends with the bytes of a training that was never interrupted."""
    assert not folder.exists()
    capsys.readouterr()
    resumed = train(tiny, folder, **settings)
    said = capsys.readouterr().err
    assert (f"training goes on from step {step}" in said) if step else ("goes on" not in said)
    assert (clockless(resumed), weights(folder)) == through(**settings)


@pytest.mark.parametrize("tiny,way", [("morphemes", "head"), ("pieces", "all")], indirect=["tiny"])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_training_killed_at_any_step_ends_with_the_same_weights(
    tiny, way, at, through, tmp_path, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        killed(patch, at)
        with pytest.raises(KeyboardInterrupt):
            train(tiny, tmp_path / "model", train=way)
    goes_on_to_the_same(tiny, tmp_path / "model", through, capsys, at - 1, train=way)


@pytest.mark.parametrize(
    "tiny,more,less",
    [
        ("pieces", {"info_nce_weight": 1.0, "rounds": 2}, {"info_nce_weight": 1.0}),
        ("morphemes", {"entries": ENTRIES}, {}),
        ("morphemes", {"flops_l0_mask": 60, "flops_apart": True}, {"flops_apart": True}),
        ("pieces", {"flops_l0_mask": 60}, {}),
    ],
    indirect=["tiny"],
    ids=["rounds", "dictionary", "mask", "mask of pieces"],
)
def test_so_does_one_with_negatives_of_its_own_a_dictionary_or_a_mask(
    tiny, more, less, through, tmp_path, monkeypatch, capsys
):
    assert through(train="head", **more)[0] != through(train="head", **less)[0], "it would go on to the same without"
    with monkeypatch.context() as patch:
        killed(patch, at=4)  # the second round has begun
        with pytest.raises(KeyboardInterrupt):
            train(tiny, tmp_path / "model", train="head", **more)
    goes_on_to_the_same(tiny, tmp_path / "model", through, capsys, 3, train="head", **more)


def dies(tiny, folder, where):
    """A process that is ended from outside, in its third step or while its third checkpoint is written."""
    torch.set_num_threads(1)
    counted = []

    def third(call):
        def once(*given):
            counted.append(1)
            if len(counted) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*given)

        return once

    owner, name = {"step": (Trainer, "_step"), "checkpoint": (checkpoints.os, "fsync")}[where]
    setattr(owner, name, third(getattr(owner, name)))
    train(tiny, folder, train="head")


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)  # Kiwi's threads do not live on in a copy of this process
@pytest.mark.parametrize("where", ["step", "checkpoint"])
def test_a_process_killed_from_outside_loses_nothing_that_was_kept(tiny, where, through, tmp_path, capsys):
    process = multiprocessing.get_context("fork").Process(target=dies, args=(tiny, tmp_path / "model", where))
    process.start()
    process.join(120)
    if process.exitcode is None:
        process.kill()
    assert process.exitcode == -signal.SIGKILL
    assert bool(list((tmp_path / "checkpoints").rglob("*.partial"))) == (where == "checkpoint")
    goes_on_to_the_same(tiny, tmp_path / "model", through, capsys, 2, train="head")


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)
def test_a_finished_training_leaves_no_checkpoint(tiny, tmp_path):
    train(tiny, tmp_path / "model", max_steps=1)
    assert not list((tmp_path / "checkpoints").rglob("*.pt"))


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)
def test_other_settings_are_another_training(tiny, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        killed(patch, at=2)
        with pytest.raises(KeyboardInterrupt):
            train(tiny, tmp_path / "model")
    train(tiny, tmp_path / "model", learning_rate=1e-4)
    assert "goes on" not in capsys.readouterr().err


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)
def test_a_loss_that_explodes_names_the_batch_and_keeps_the_checkpoint(tiny, tmp_path, monkeypatch):
    loss, counted = Trainer._loss, []

    def grown(self, batch):
        counted.append(batch.queries)
        parts = loss(self, batch)
        return parts if len(counted) < 3 else {**parts, "loss": parts["loss"] * 1e6}

    monkeypatch.setattr(Trainer, "_loss", grown)
    with pytest.raises(KosparseError, match="the loss has grown from") as found:
        train(tiny, tmp_path / "model")

    queries = ", ".join(tiny[1].queries[row].id for row in counted[-1])
    assert found.value.where == f"train_sparse, step 3, queries {queries}"
    (folder,) = (tmp_path / "checkpoints").iterdir()
    assert str(folder) in found.value.fix
    assert max(path.name[:13] for path in folder.iterdir()) == "step-00000002"


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)
def test_spoilt_weights_are_never_kept(tiny, tmp_path):
    with pytest.raises(KosparseError, match="is nan"):
        train(tiny, tmp_path / "model", learning_rate=float("inf"))
    assert not list((tmp_path / "checkpoints").rglob("*.pt"))


def limited(monkeypatch, most):
    """Memory holds so many passages with their gradients at once; the groups that were read."""
    logits, groups = PieceNetwork.logits, []

    def read(self, passages):
        if torch.is_grad_enabled() and len(passages) > most:
            raise torch.OutOfMemoryError("out of memory")
        groups.append(len(passages))
        return logits(self, passages)

    monkeypatch.setattr(PieceNetwork, "logits", read)
    return groups


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)
def test_little_memory_changes_nothing_but_the_parts(tiny, tmp_path, monkeypatch, capsys):
    whole = train(tiny, tmp_path / "whole", train="all", max_steps=2)
    groups = limited(monkeypatch, most=5)
    parts = train(tiny, tmp_path / "parts", train="all", max_steps=2, micro_batch=16)

    assert "4 passages are read at a time from now on" in capsys.readouterr().err
    assert max(groups[-8:]) == 4
    for name in ("loss", "kl", "flops", "validation_kl", "active_terms"):
        assert parts.history[-2][name] == pytest.approx(whole.history[-2][name], rel=1e-3)


@pytest.mark.parametrize("tiny", ["morphemes", "pieces"], indirect=True)
def test_layers_that_are_computed_again_change_nothing(tiny, tmp_path, monkeypatch):
    read, part = [], BertIntermediate.forward
    monkeypatch.setattr(BertIntermediate, "forward", lambda self, states: [read.append(1), part(self, states)][1])
    counts = []
    for name, again in (("held", False), ("again", True)):
        read.clear()
        train(tiny, tmp_path / name, train="all", max_steps=2, gradient_checkpointing=again)
        counts.append(len(read))

    assert weights(tmp_path / "again") == weights(tmp_path / "held")
    # Two steps, two layers: each is computed once more on the way back.
    assert counts[1] == counts[0] + 4


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)
def test_half_precision_learns_about_the_same(tiny, tmp_path, monkeypatch):
    seen, logits = set(), PieceNetwork.logits

    def read(self, passages):
        found = logits(self, passages)
        seen.add(found.dtype)
        return found

    monkeypatch.setattr(PieceNetwork, "logits", read)
    whole = train(tiny, tmp_path / "whole", train="all", max_steps=1)
    half = train(tiny, tmp_path / "half", train="all", max_steps=1, precision="bf16")

    assert seen == {torch.float32, torch.bfloat16}
    assert half.history[-2]["loss"] == pytest.approx(whole.history[-2]["loss"], rel=0.05)


class ShortOnce(torch.autograd.Function):
    """Memory runs out on the first way back."""

    ways_back = 0

    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        ShortOnce.ways_back += 1
        if ShortOnce.ways_back == 1:
            raise torch.OutOfMemoryError("out of memory")
        return gradient


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)
def test_memory_that_runs_out_on_the_way_back_is_met_the_same_way(tiny, tmp_path, monkeypatch):
    logits = PieceNetwork.logits
    monkeypatch.setattr(PieceNetwork, "logits", lambda self, passages: ShortOnce.apply(logits(self, passages)))

    trained = train(tiny, tmp_path / "model", train="all", max_steps=1, micro_batch=64)
    assert trained.steps == 1 and ShortOnce.ways_back > 1


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)
def test_too_little_memory_for_one_passage_is_said(tiny, tmp_path, monkeypatch):
    limited(monkeypatch, most=0)
    with pytest.raises(ResourceError, match="too little memory") as found:
        train(tiny, tmp_path / "model", train="all", max_steps=1)
    assert "step 1, queries" in found.value.where


def test_a_checkpoint_that_names_no_row_as_kept_is_gone_on_from(tiny, tmp_path, monkeypatch):
    save = Checkpoints.save

    def of_an_earlier_version(self, step, state):
        save(self, step, {**state, "result": {key: row for key, row in state["result"].items() if key != "kept"}})

    with monkeypatch.context() as broken:
        broken.setattr(Checkpoints, "save", of_an_earlier_version)
        killed(broken, at=3)
        with pytest.raises(KeyboardInterrupt):
            train(tiny, tmp_path / "model")
    monkeypatch.setattr(Trainer, "_validate", lambda self, parts: 10.0**6)
    trained = train(tiny, tmp_path / "model")
    assert trained.steps == 4 and "validation_kl" in trained.kept
