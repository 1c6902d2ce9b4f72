"""Training goes on from a trained model: the same weights, the same dimensions, or a clear refusal."""

import json
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from kosparse.config import TrainSparseConfig
from kosparse.corpus.locations import Location
from kosparse.corpus.units import load_units
from kosparse.errors import ConfigError, InputError
from kosparse.jsonl import write_records
from kosparse.records import Passage
from kosparse.sparse.closed_form import DenseTeacher
from kosparse.sparse.fit import fit
from kosparse.sparse.model import load_sparse_model
from kosparse.sparse.warm_start import trained_backbone
from kosparse.steps import prepare_backbone
from tests.fakes.tiny_training import tiny_training_set, write_tiny_backbone


@pytest.fixture(scope="module", params=["morphemes", "pieces"])
def trained(request, tmp_path_factory):
    """Units, a trained model's folder, and the texts it was trained on."""
    folder = tmp_path_factory.mktemp(request.param)
    texts, _ = write_tiny_backbone(folder, request.param)
    _train(folder / "backbone", folder / "model", texts, folder / "states", max_steps=6)
    return request.param, folder / "model", texts


def _train(backbone, model, texts, states, **settings):
    units = load_units(backbone)
    idf = {name: 1.0 for name in units.names if name not in units.special}
    config = TrainSparseConfig(**{"active_dims": 60.0, "batch_size": 4, **settings})
    data = tiny_training_set(texts)
    unit = np.eye(len(texts), 8, dtype=np.float32)
    teacher = DenseTeacher(queries=unit, passages=unit)
    return fit(config, data, backbone, model, idf=idf, boosts={}, entries=[], cache=states, teacher=teacher)[0]


def _vectors(model, texts):
    loaded = load_sparse_model(model)
    return loaded.encode_documents(texts).toarray(), loaded.encode_queries(texts).toarray()


@pytest.mark.parametrize("way", ["head", "all"])
def test_with_no_step_the_result_is_the_model_it_started_from(trained, tmp_path, way):
    units, model, texts = trained
    trained_backbone(Location(model, "champion"), texts, tmp_path / "backbone", units=units)

    same = {"max_steps": 0, "active_dims": 0.0, "lead_weight": 0.0}  # it keeps the lead that it was trained with
    _train(tmp_path / "backbone", tmp_path / "again", texts, tmp_path, train=way, **same)

    for found, expected in zip(_vectors(tmp_path / "again", texts), _vectors(model, texts), strict=True):
        assert expected.any() and found == pytest.approx(expected, abs=1e-6)
    assert load_units(tmp_path / "backbone").names == load_units(_backbone_of(model)).names


def test_training_goes_on_from_there(trained, tmp_path):
    units, model, texts = trained
    trained_backbone(Location(model, "champion"), texts, tmp_path / "backbone", units=units)

    further = _train(tmp_path / "backbone", tmp_path / "more", texts, tmp_path, max_steps=6)

    assert further.steps == 6 and further.active_dims == pytest.approx(60, rel=0.1)
    assert (_vectors(tmp_path / "more", texts)[0].argmax(1) == _vectors(model, texts)[0].argmax(1)).mean() > 0.8


@pytest.mark.parametrize("trained", ["morphemes"], indirect=True)  # pieces spell out every word
def test_words_that_the_model_does_not_know_are_counted(trained, tmp_path):
    units, model, _ = trained
    numbers = trained_backbone(Location(model, "champion"), ["셀 보호 블록체인"], tmp_path / "backbone", units=units)

    # Of three content morphemes, 블록체인 alone stands in none of the forty texts.
    assert numbers["unknown"] == pytest.approx(1 / 3)


def test_dimensions_of_the_other_kind_are_refused(trained, tmp_path):
    units, model, texts = trained
    other = "pieces" if units == "morphemes" else "morphemes"
    with pytest.raises(ConfigError, match=f"is over {units}, {other} are asked for"):
        trained_backbone(Location(model, "champion"), texts, tmp_path / "backbone", units=other)


def test_queries_and_documents_of_two_models_are_refused(trained, tmp_path):
    units, model, texts = trained
    mixed = shutil.copytree(model, tmp_path / "mixed")
    path = next(mixed.glob("query_0_*")) / "model.safetensors"
    save_file({"weight": load_file(path)["weight"][:-1].clone()}, path)
    with pytest.raises(InputError, match="dimensions, the queries"):
        trained_backbone(Location(mixed, "mixed"), texts, tmp_path / "backbone", units=units)


def test_a_folder_that_is_no_model_is_refused_by_the_name_its_user_knows(tmp_path):
    with pytest.raises(InputError, match="no model that training can go on from") as caught:
        trained_backbone(Location(tmp_path, "s3://models/none"), ["셀"], tmp_path / "backbone", units="pieces")
    assert caught.value.where == "s3://models/none"


def _backbone_of(model):
    """The document side, as units are loaded from it."""
    return next(model.glob("document_0_*"))


def _prepare(start_from, units, texts, folder):
    """The step's metrics; it leaves ``folder/backbone``."""
    write_records(
        folder / "passages",
        [Passage(id=f"{n}#0", document_id=str(n), position=0, text=text) for n, text in enumerate(texts)],
    )
    write_records(folder / "parallel", [])
    return prepare_backbone.run(
        config={"start_from": start_from, "units": units},
        passages=folder / "passages",
        parallel=folder / "parallel",
        backbone=folder / "backbone",
    )


def test_the_step_takes_a_folder_and_says_what_it_took(trained, tmp_path, monkeypatch):
    units, model, texts = trained
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path / "cache"))

    metrics = _prepare(str(model), units, texts, tmp_path)

    assert metrics["terms"] == len(load_sparse_model(model).terms) and metrics["unknown"] == 0
    assert json.loads((tmp_path / "backbone" / "backbone.json").read_text(encoding="utf-8"))["units"] == units


@pytest.mark.services
@pytest.mark.parametrize("trained", ["morphemes"], indirect=True)
def test_the_step_takes_the_champion_of_the_registry(trained, tmp_path, monkeypatch, mlflow_server):
    from kosparse.adapters.registry_mlflow import MlflowRegistry

    units, model, texts = trained
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    registry = MlflowRegistry(mlflow_server)
    registry.register("r-warm", "warm", model, metrics={}, tags={}, artifacts=[], alias="champion")

    metrics = _prepare("models:/warm@champion", units, texts, tmp_path)

    described = json.loads((tmp_path / "backbone" / "backbone.json").read_text(encoding="utf-8"))
    assert described["source"] == "models:/warm@champion" and metrics["unknown"] == 0
    for side, ours in (("query_0_MorphemeQuery", "query.safetensors"), ("document_0_MorphemeDocument/encoder", None)):
        there = model / side / "model.safetensors"
        here = tmp_path / "backbone" / (ours or "model.safetensors")
        assert here.read_bytes() == there.read_bytes()
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="the registry has no such model"):
        _prepare("models:/warm@challenger", units, texts, tmp_path / "other")
