"""Two processes with one batch between them learn what one process learns; a dead one does not leave others waiting."""

import json
import multiprocessing
import socket

import pytest
import torch
from kiwipiepy import Kiwi

from kosparse.config import TrainSparseConfig
from kosparse.corpus import morphemes
from kosparse.corpus.units import load_units
from kosparse.errors import ConfigError, ServiceError
from kosparse.sparse import distributed, fit
from kosparse.sparse.checkpoints import Checkpoints
from kosparse.sparse.model import load_sparse_model
from kosparse.sparse.training import Trainer
from tests.fakes.tiny_training import tiny_training_set, write_tiny_backbone

SYMMETRIC = {"query_encoder": "network", "batch_size": 1}  # the second process reads no query
CURVE = ("loss", "kl", "info_nce", "flops", "validation_kl", "validation_ndcg@10", "active_terms")


@pytest.fixture(scope="module", params=["pieces"])
def tiny(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributed")
    return folder, write_tiny_backbone(folder, request.param)[0]


def train(tiny, folder, way="all", **settings):
    root, texts = tiny
    options = {"max_steps": 3, "batch_size": 5, "active_dims": 60.0, "checkpoint_seconds": 0.0, **settings}
    config = TrainSparseConfig(train=way, **options)
    idf = dict.fromkeys(load_units(root / "backbone").names, 1.0)
    given = {"idf": idf, "boosts": {}, "entries": [], "cache": root / "states"}
    kept = Checkpoints(folder / "checkpoints")
    return fit.fit(config, tiny_training_set(texts), root / "backbone", folder / "model", checkpoints=kept, **given)[0]


def one_of_two(rank, port, tiny, folder, way, dies, settings):
    """What torchrun starts."""
    torch.set_num_threads(1)
    kiwi = Kiwi(num_workers=1)  # the threads of the one that there is have stayed behind
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**place, "TORCHELASTIC_RUN_ID": "test"}.items():
            patch.setenv(name, str(value))
        patch.setattr(morphemes, "_kiwi", lambda: kiwi)
        if dies:
            patch.setattr(Trainer, "_save", lambda self: exit(9) if rank == 1 else None)
        try:
            with distributed.process_group():
                outcome = {
                    "history": train(tiny, folder, way, **settings).history,
                    "processes": distributed.processes(),
                }
        except (ServiceError, ConfigError) as error:
            outcome = {"error": type(error).__name__, "message": error.message}
    (folder / f"{rank}.json").write_text(json.dumps(outcome), encoding="utf-8")


def run_two(tiny, folder, way="all", dies=False, **settings):
    """What each of two processes leaves; they are copies of this one, which has torch already."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    given = (port, tiny, folder, way, dies, settings)
    running = [context.Process(target=one_of_two, args=(rank, *given)) for rank in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join(240)
        assert not process.is_alive(), "a process hangs"
    paths = [folder / f"{rank}.json" for rank in range(2)]
    return [json.loads(path.read_text(encoding="utf-8")) if path.exists() else None for path in paths]


@pytest.mark.parametrize(
    "tiny,settings",
    [("pieces", {}), ("pieces", {"info_nce_weight": 1.0, "kl_weight": 0.0}), ("morphemes", {}), ("pieces", SYMMETRIC)],
    indirect=["tiny"],
    ids=["pieces", "info_nce", "morphemes", "symmetric"],
)
def test_two_processes_have_the_loss_curve_of_one(tiny, settings, tmp_path):
    alone = train(tiny, tmp_path / "alone", **settings)
    first, second = run_two(tiny, _made(tmp_path / "two"), **settings)

    assert first["processes"] == 2
    assert len(first["history"]) == len(second["history"]) == len(alone.history) > 3
    for one, two, other in zip(alone.history, first["history"], second["history"], strict=True):
        for name in CURVE:
            if name in one:
                assert two[name] == pytest.approx(one[name], rel=1e-3) and other[name] == two[name]
    # An odd number of passages was shared, and the first process wrote the model of both.
    weights = [load_sparse_model(tmp_path / name / "model").encode_documents(tiny[1]) for name in ("alone", "two")]
    assert weights[0].toarray() == pytest.approx(weights[1].toarray(), abs=1e-3)


def test_a_process_that_dies_ends_the_others_with_an_error(tiny, tmp_path):
    first, second = run_two(tiny, tmp_path, dies=True)
    assert second is None
    assert first["error"] == "ServiceError" and "another process of the training has ended" in first["message"]


def test_the_training_of_a_head_is_not_shared(tiny, tmp_path):
    first, second = run_two(tiny, tmp_path, way="head")
    assert first == second and "2 processes cannot share the training of a head" in first["message"]


def test_one_process_shares_with_nobody():
    own = torch.ones(2, 3)
    assert distributed.share([1, 2, 3]) == [1, 2, 3] and distributed.gather(own, 2) is own
    assert distributed.any_of(True) and distributed.from_first("x") == "x" and distributed.processes() == 1


def _made(folder):
    folder.mkdir()
    return folder
