"""A checkpoint is whole and of this training, or it is left out; the store keeps a second copy."""

import pytest
import torch

from kosparse.adapters.store_s3 import open_store
from kosparse.errors import ConfigError
from kosparse.services.s3 import S3Store as Server
from kosparse.sparse import checkpoints as module
from kosparse.sparse.checkpoints import Checkpoints, fingerprint
from tests.fakes.memory_store import MemoryStore

STATE = {"weights": [torch.tensor([1.0, 2.0])], "random": {"state": 2**127, "name": "PCG64"}, "history": [{"kl": 0.5}]}


@pytest.fixture
def kept(tmp_path):
    return Checkpoints(tmp_path).of("mine")


@pytest.fixture
def store():
    return MemoryStore()


def state(step):
    return {**STATE, "step": step}


def names(checkpoints):
    return sorted(path.name[:13] for path in checkpoints.folder.iterdir())


def test_the_newest_state_comes_back_as_it_was(kept):
    assert kept.latest() is None
    for step in (1, 2, 10):
        kept.save(step, state(step))

    found = kept.latest()
    assert found["step"] == 10 and torch.equal(found["weights"][0], STATE["weights"][0])
    assert found["random"] == STATE["random"] and found["history"] == STATE["history"]


def test_two_are_kept(kept):
    for step in (1, 2, 10):
        kept.save(step, state(step))
    assert names(kept) == ["step-00000002", "step-00000010"]


def test_one_that_was_cut_off_is_left_out_with_a_message(kept, capsys):
    kept.save(1, state(1))
    kept.save(2, state(2))
    newest = sorted(kept.folder.iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-100])

    assert kept.latest()["step"] == 1
    assert f"checkpoint {newest.name} is left out: it is not whole" in capsys.readouterr().err


def test_one_of_another_training_is_left_out_with_a_message(kept, capsys):
    kept.save(1, state(1))
    other = kept.of("other")
    other.save(7, state(7))
    foreign = next(other.folder.iterdir())
    foreign.rename(kept.folder / foreign.name)

    assert kept.latest()["step"] == 1
    assert "it belongs to another training" in capsys.readouterr().err


def test_code_in_a_checkpoint_is_not_run(kept, tmp_path, capsys):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    kept.save(1, {"evil": Evil()})
    assert kept.latest() is None
    assert "is left out" in (found := capsys.readouterr()).err and "run" not in found.out


def test_half_a_file_is_no_checkpoint(kept):
    kept.save(1, state(1))
    (kept.folder / "123.partial").write_bytes(b"half")
    assert kept.latest()["step"] == 1


def test_a_full_disk_is_said_and_training_goes_on(kept, monkeypatch, capsys):
    kept.save(1, state(1))
    monkeypatch.setattr(module.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    kept.save(2, state(2))

    assert kept.latest()["step"] == 1 and names(kept) == ["step-00000001"]
    assert "no checkpoint of step 2" in capsys.readouterr().err


def test_another_machine_goes_on_from_the_store(tmp_path, store):
    Checkpoints(tmp_path / "a", store, "s3://bucket/trainings", "mine").save(3, state(3))
    assert [name.split("-")[0] for name in store.objects] == ["bucket/trainings/mine/step"]

    assert Checkpoints(tmp_path / "b", store, "s3://bucket/trainings", "mine").latest()["step"] == 3


@pytest.mark.services
def test_another_machine_goes_on_from_a_real_store(tmp_path, monkeypatch):
    with Server(tmp_path / "s3") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        kept = Checkpoints(tmp_path / "a", open_store(), "s3://mlpipeline/trainings", "mine")
        for step in (1, 2, 3):
            kept.save(step, state(step))
        assert len(open_store().list("mlpipeline", "trainings/mine/")) == 2

        other = Checkpoints(tmp_path / "b", open_store(), "s3://mlpipeline/trainings", "mine")
        found = other.latest()
        assert found["step"] == 3 and torch.equal(found["weights"][0], STATE["weights"][0])
        other.forget()
        assert open_store().list("mlpipeline", "trainings/mine/") == []


def test_the_store_keeps_two_and_forgets_with_the_training(tmp_path, store):
    kept = Checkpoints(tmp_path, store, "s3://bucket", "mine")
    for step in (1, 2, 3):
        kept.save(step, state(step))
    assert len(store.objects) == 2

    kept.forget()
    assert not store.objects and not kept.folder.exists() and kept.latest() is None


def test_half_an_object_in_the_store_is_left_out_with_a_message(tmp_path, store, capsys):
    kept = Checkpoints(tmp_path / "a", store, "s3://bucket", "mine")
    kept.save(1, state(1))
    kept.save(2, state(2))
    newest = max(store.objects)
    store.objects[newest] = store.objects[newest][:-100]

    assert Checkpoints(tmp_path / "b", store, "s3://bucket", "mine").latest()["step"] == 1
    assert f"checkpoint {newest.rpartition('/')[2]} is left out: it is not whole" in capsys.readouterr().err


def test_an_object_of_another_training_is_left_out_with_a_message(tmp_path, store, capsys):
    Checkpoints(tmp_path / "a", store, "s3://bucket", "other").save(7, state(7))
    ((name, content),) = store.objects.items()
    store.objects = {name.replace("/other/", "/mine/"): content}

    assert Checkpoints(tmp_path / "b", store, "s3://bucket", "mine").latest() is None
    assert "it belongs to another training" in capsys.readouterr().err


def test_a_file_that_was_cut_off_here_is_whole_in_the_store(tmp_path, store):
    kept = Checkpoints(tmp_path, store, "s3://bucket", "mine")
    kept.save(3, state(3))
    (path,) = kept.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-100])

    assert kept.latest()["step"] == 3


def test_a_store_that_is_away_stops_nothing(tmp_path, store, capsys):
    store.broken = True
    kept = Checkpoints(tmp_path, store, "s3://bucket", "mine")
    kept.save(1, state(1))
    assert kept.latest()["step"] == 1
    assert "on this machine only: the object store does not answer" in capsys.readouterr().err


def test_an_address_that_is_none_is_refused(tmp_path, store):
    with pytest.raises(ConfigError, match="not an address of checkpoints"):
        Checkpoints(tmp_path, store, "bucket/prefix", "mine").latest()


def test_a_fingerprint_tells_parts_apart():
    assert fingerprint({"a": [1], "b": [b"2"]}) == fingerprint({"b": [b"2"], "a": [1]})
    assert len({fingerprint(part) for part in ({"a": [1]}, {"a": [2]}, {"b": [1]}, {"a": [1, 1]}, {"a": []})}) == 5
