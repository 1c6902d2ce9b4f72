"""How logits become weights is a choice, and a model's folder says which was made."""

import json
import math
import shutil

import numpy as np
import pytest
import torch

from kosparse.config import TrainSparseConfig
from kosparse.corpus.locations import Location
from kosparse.corpus.units import load_units
from kosparse.errors import ConfigError, InputError
from kosparse.jsonl import read_json
from kosparse.sparse.activation import Activation, saved_activation
from kosparse.sparse.fit import fit
from kosparse.sparse.model import load_sparse_model
from kosparse.sparse.morpheme_head import load_head
from kosparse.sparse.torchscript import write_torchscript
from kosparse.sparse.warm_start import trained_backbone
from tests.fakes.tiny_training import tiny_training_set, write_tiny_backbone

NAMES = ["log1p_relu", "relu"]


@pytest.mark.parametrize("name", NAMES)
def test_each_activation_and_its_inverse_cancel(name):
    weights = torch.tensor([0.0, 0.3, 0.99])
    assert Activation(name)(Activation(name).inverse(weights)) == pytest.approx(weights, abs=1e-6)


def test_one_logarithm_for_splade_two_for_opensearch():
    logits = torch.tensor([-3.0, 0.0, math.e - 1, 1000.0])
    assert Activation("relu")(logits).tolist() == pytest.approx([0, 0, 1, math.log(1001)])
    assert Activation()(logits).tolist() == pytest.approx([0, 0, math.log(2), math.log1p(math.log(1001))])


def test_an_activation_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no activation is called 'gelu'"):
        Activation("gelu")


@pytest.fixture(scope="module", params=["morphemes", "pieces"])
def tiny(request, tmp_path_factory):
    """Units, the folder of the backbone and of a model trained with ``relu``, and the texts."""
    folder = tmp_path_factory.mktemp(request.param)
    texts, _ = write_tiny_backbone(folder, request.param)
    train(folder, folder / "backbone", folder / "model", texts, activation="relu")
    return request.param, folder, texts


def train(root, backbone, folder, texts, **settings):
    config = TrainSparseConfig(**{"max_steps": 3, "batch_size": 4, "active_dims": 60.0, **settings})
    units = load_units(backbone)
    idf = {name: 1.0 for name in units.names if name not in units.special}
    given = {"idf": idf, "boosts": {}, "entries": [], "cache": root / "states"}
    return fit(config, tiny_training_set(texts), backbone, folder, **given)[0]


@pytest.mark.parametrize("way", ["head", "all"])
def test_the_target_of_active_dimensions_is_met_with_it(tiny, tmp_path, way):
    _, root, texts = tiny
    trained = train(root, root / "backbone", tmp_path / "model", texts, activation="relu", active_dims=90.0, train=way)

    weights = load_sparse_model(tmp_path / "model").encode_documents(texts)
    assert trained.active_dims == pytest.approx(90, rel=0.1) and weights.nnz / 40 == pytest.approx(90, rel=0.1)


def test_a_loaded_model_has_it_without_a_word(tiny):
    from sentence_transformers import SparseEncoder

    _, root, texts = tiny
    ours = load_sparse_model(root / "model").encode_documents(texts[:9]).toarray()
    plain = SparseEncoder(str(root / "model"), device="cpu", trust_remote_code=True)
    assert plain.encode_document(texts[:9]).to_dense().numpy() == pytest.approx(ours, abs=1e-5)
    assert saved_activation(root / "model") == Activation("relu") and ours.any()


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)
def test_the_exported_script_gives_the_same_weights(tiny, tmp_path):
    _, root, texts = tiny
    write_torchscript(root / "model", tmp_path / "model.pt")
    model = load_sparse_model(root / "model")
    tokenizer = model.encoder.tokenizer
    cut = tokenizer(texts[:3], padding=True, truncation=True, max_length=64, return_tensors="pt")

    inputs = {name: cut[name] for name in ("input_ids", "attention_mask")}
    found = torch.jit.load(str(tmp_path / "model.pt"))(inputs)["output"].detach().numpy()
    expected = model.encode_documents(texts[:3]).toarray()
    expected[:, tokenizer.all_special_ids] = 0
    assert found == pytest.approx(expected, abs=1e-4) and expected.any()


@pytest.mark.parametrize("tiny", ["morphemes"], indirect=True)
def test_a_head_from_before_the_choice_has_two_logarithms(tiny, tmp_path):
    folder = shutil.copytree(tiny[1] / "model" / "document_0_MorphemeDocument", tmp_path / "head")
    assert load_head(folder)[0].activation == Activation("relu")
    path = folder / "saturation.json"
    described = read_json(path)
    path.write_text(json.dumps({**described, "activation": "gelu"}), encoding="utf-8")
    with pytest.raises(InputError, match="no activation is called 'gelu'"):
        load_head(folder)
    del described["activation"]
    path.write_text(json.dumps(described), encoding="utf-8")
    assert load_head(folder)[0].activation == Activation("log1p_relu")


def test_training_goes_on_with_the_activation_of_its_model_or_says_so(tiny, tmp_path):
    units, root, texts = tiny
    trained_backbone(Location(root / "model", "champion"), texts, tmp_path / "backbone", units=units)

    with pytest.raises(ConfigError, match="trained with the activation relu, log1p_relu is asked for") as caught:
        train(tmp_path, tmp_path / "backbone", tmp_path / "other", texts, activation="log1p_relu")
    assert caught.value.where == "train_sparse.activation"
    same = {"activation": "relu", "max_steps": 0, "active_dims": 0.0}
    train(tmp_path, tmp_path / "backbone", tmp_path / "again", texts, **same)
    models = tmp_path / "again", root / "model"
    found, expected = (load_sparse_model(model).encode_documents(texts[:5]) for model in models)
    assert np.abs((found - expected).toarray()).max() < 1e-6
