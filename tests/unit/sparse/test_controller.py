"""Active dimensions reach their target within a tenth, on two kinds of backbone, in the model that is written."""

import pytest

from kosparse.config import TrainSparseConfig
from kosparse.corpus.units import load_units
from kosparse.sparse.fit import fit
from kosparse.sparse.model import load_sparse_model
from tests.fakes.tiny_training import tiny_training_set, write_tiny_backbone


@pytest.fixture(scope="module", params=["bert", "modernbert"])
def backbone(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return folder, write_tiny_backbone(folder, "pieces", request.param)[0]


@pytest.mark.parametrize("target", [30.0, 60.0, 120.0])
def test_every_backbone_reaches_every_target(backbone, target, tmp_path):
    folder, texts = backbone
    config = TrainSparseConfig(max_steps=30, batch_size=8, active_dims=target)
    idf = dict.fromkeys(load_units(folder / "backbone").names, 1.0)
    given = {"idf": idf, "boosts": {}, "entries": [], "cache": folder / "states"}

    trained, _ = fit(config, tiny_training_set(texts), folder / "backbone", tmp_path / "model", **given)

    weights = load_sparse_model(tmp_path / "model").encode_documents(texts)
    assert trained.active_dims == pytest.approx(target, rel=0.1)
    assert weights.nnz / len(texts) == pytest.approx(target, rel=0.1)
