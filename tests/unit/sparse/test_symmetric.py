"""Queries that go through the document encoder: trained, saved, gone on from, and what is refused."""

import json

import numpy as np
import pytest

from kosparse.config import TrainSparseConfig
from kosparse.corpus.locations import Location
from kosparse.corpus.units import load_units
from kosparse.errors import ConfigError
from kosparse.export.query_weights import query_weights
from kosparse.sparse.fit import fit
from kosparse.sparse.model import load_sparse_model
from kosparse.sparse.training import Trainer
from kosparse.sparse.warm_start import trained_backbone
from tests.fakes.tiny_training import tiny_training_set, write_tiny_backbone


@pytest.fixture(scope="module", params=["pieces"])
def tiny(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("symmetric")
    return folder, write_tiny_backbone(folder, request.param)[0]


def train(tiny, model, backbone=None, boosts=None, data=None, **settings):
    root, texts = tiny
    options = {"train": "all", "max_steps": 6, "active_dims": 60.0, "batch_size": 4, **settings}
    config = TrainSparseConfig(**{"query_encoder": "network", **options})
    start = backbone or root / "backbone"
    idf = dict.fromkeys(load_units(start).names, 1.0)
    given = {"idf": idf, "boosts": boosts or {}, "entries": [], "cache": root / "states"}
    return fit(config, data or tiny_training_set(texts), start, model, **given)[0]


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    model = tmp_path_factory.mktemp("model") / "model"
    return model, train(tiny, model)


def test_queries_and_documents_go_through_one_encoder(tiny, trained):
    model = load_sparse_model(trained[0])
    queries, documents = model.encode_queries(tiny[1][:5]), model.encode_documents(tiny[1][:5])

    assert queries.toarray() == pytest.approx(documents.toarray(), abs=1e-5)
    assert queries.nnz > 0 and query_weights(trained[0]) is None
    assert trained[1].active_dims == pytest.approx(60, rel=0.1)


def test_the_folder_is_one_of_plain_sentence_transformers(tiny, trained):
    from sentence_transformers import SparseEncoder

    parts = [module["type"].split(".")[-1] for module in json.loads((trained[0] / "modules.json").read_text())]
    assert parts[-1] == "SpladePooling" and len(parts) == 2
    plain = SparseEncoder(str(trained[0]), device="cpu").encode_query(tiny[1][:2]).to_dense().numpy()
    assert plain == pytest.approx(load_sparse_model(trained[0]).encode_queries(tiny[1][:2]).toarray(), abs=1e-4)


def test_what_training_scores_with_is_what_the_model_gives(tiny, tmp_path, monkeypatch):
    run, students = Trainer.run, []
    monkeypatch.setattr(Trainer, "run", lambda self: [run(self), students.append(self.student)][0])
    train(tiny, tmp_path / "model", max_steps=2, micro_batch=3)

    (student,) = students
    model, data = load_sparse_model(tmp_path / "model"), tiny_training_set(tiny[1])
    asked = [query.text for query in data.queries[:7]]
    places = [np.array([place]) for place in range(7)]
    expected = model.encode_queries(asked).toarray()
    assert student.weigh(places).numpy() == pytest.approx(expected, abs=1e-4) and expected.any()
    scored = student.scores(places, [0, 3])
    documents = model.encode_documents([tiny[1][0], tiny[1][3]]).toarray()
    assert scored.scores.detach().numpy() == pytest.approx(expected @ documents.T, rel=1e-3, abs=1e-3)


def test_the_price_of_queries_is_one_of_its_own(tiny, tmp_path):
    settings = {"max_steps": 30, "learning_rate": 3e-3, "active_dims": 0.0, "flops_weight": 0.0}
    cheap, dear = (
        train(tiny, tmp_path / str(weight), query_flops_weight=weight, **settings).history[-2]["query_flops"]
        for weight in (0.0, 0.3)
    )
    assert dear < 0.7 * cheap


def test_negatives_are_mined_with_expanded_queries(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("KOSPARSE_EVENTS", raising=False)
    train(tiny, tmp_path / "model", rounds=2, info_nce_weight=1.0)
    assert capsys.readouterr().err.count("were mined by the model's own ranking") == 1


@pytest.mark.parametrize("queries", ["network", "weights"])
def test_a_training_goes_on_from_it(tiny, trained, tmp_path, queries):
    numbers = trained_backbone(Location(trained[0], "champion"), tiny[1], tmp_path / "backbone", units="pieces")
    assert numbers["terms"] > 100 and not (tmp_path / "backbone" / "modules.json").exists()

    settings = {"max_steps": 0, "active_dims": 0.0, "query_encoder": queries}
    train(tiny, tmp_path / "again", tmp_path / "backbone", **settings)

    before, again = (load_sparse_model(folder) for folder in (trained[0], tmp_path / "again"))
    assert again.encode_documents(tiny[1]).toarray() == pytest.approx(before.encode_documents(tiny[1]).toarray())
    found, expected = again.encode_queries(tiny[1][:3]), before.encode_queries(tiny[1][:3])
    if queries == "network":
        assert found.toarray() == pytest.approx(expected.toarray(), abs=1e-6)
    else:
        assert set(found.data.tolist()) == {1.0}  # the IDF, for there was no weight to go on from


def test_another_activation_than_it_was_trained_with_is_refused(tiny, trained, tmp_path):
    trained_backbone(Location(trained[0], "champion"), tiny[1], tmp_path / "backbone", units="pieces")
    with pytest.raises(ConfigError, match="was trained with the activation relu"):
        train(tiny, tmp_path / "again", tmp_path / "backbone", activation="log1p_relu")


@pytest.mark.parametrize("tiny", ["morphemes"], indirect=True)
def test_morphemes_have_weights_of_their_own(tiny, tmp_path):
    with pytest.raises(ConfigError, match=r"morphemes do not go through an encoder[\s\S]*units=pieces"):
        train(tiny, tmp_path / "model")


def test_a_head_cannot_learn_to_read_queries():
    with pytest.raises(ConfigError, match="a head alone cannot learn to read queries"):
        TrainSparseConfig.parse({"query_encoder": "network"}, step="train_sparse")


def test_rising_terms_are_said_to_raise_nothing(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("KOSPARSE_EVENTS", raising=False)
    train(tiny, tmp_path / "model", boosts={"셀": 2.0}, max_steps=0)
    assert "1 rising terms raise nothing" in capsys.readouterr().err


def test_judged_queries_leave_a_model_without_query_weights_as_it_is(tiny, tmp_path):
    data = tiny_training_set(tiny[1])
    data.queries[:] = [query.model_copy(update={"origin": "real"}) for query in data.queries]
    found = train(tiny, tmp_path / "model", data=data, max_steps=1, judged_spread=0.5)
    assert found.steps == 1 and found.judged == {}
