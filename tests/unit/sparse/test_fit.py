"""Training end to end on a tiny real model: both ways, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kosparse.config import TrainSparseConfig
from kosparse.corpus.units import load_units
from kosparse.errors import InputError, KosparseError
from kosparse.sparse.backbone import load_backbone
from kosparse.sparse.fit import fit
from kosparse.sparse.model import load_sparse_model
from kosparse.sparse.search import SparseIndex
from kosparse.sparse.training import Trainer
from kosparse.sparse.training_set import TrainingSet
from tests.fakes.tiny_training import tiny_training_set, write_tiny_backbone


@pytest.fixture(scope="module", params=["morphemes", "pieces"])
def tiny(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    return (folder, *write_tiny_backbone(folder, request.param))


@pytest.fixture
def data(tiny):
    return tiny_training_set(tiny[1])


def train(tiny, data, folder: Path, **settings):
    root, _, _ = tiny
    config = TrainSparseConfig(**{"max_steps": 6, "active_dims": 60.0, **settings})
    units = load_units(root / "backbone")
    idf = {name: 1.0 for name in units.names if name not in units.special}
    return fit(config, data, root / "backbone", folder, idf=idf, boosts={}, entries=[], cache=root / "states")


def kind(tiny):
    return json.loads((tiny[0] / "backbone" / "backbone.json").read_text(encoding="utf-8"))["units"]


def test_the_backbone_is_sparse_before_training(tiny):
    _, _, numbers = tiny

    if kind(tiny) == "pieces":
        # A fifth of all logits was asked to start above zero.
        assert numbers["active_terms"] == pytest.approx(0.2 * numbers["terms"], rel=0.05)
    else:
        assert 0 < numbers["active_terms"] < 0.5 * numbers["terms"]


@pytest.mark.parametrize("units", ["morphemes", "pieces"])
def test_a_roberta_with_pieces_made_of_each_other_keeps_its_vocabulary_and_learns(tmp_path, units, capsys):
    texts, numbers = write_tiny_backbone(tmp_path, units, family="roberta")
    assert "is kept whole" in capsys.readouterr().err
    assert units == "morphemes" or numbers["terms"] == 5 + 256
    trained, _ = train((tmp_path, texts, numbers), tiny_training_set(texts), tmp_path / "model", max_steps=3)
    assert trained.steps == 3
    found = load_sparse_model(tmp_path / "model").encode_documents(texts[:2])
    assert found.nnz > 0


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)
def test_a_loaded_backbone_of_pieces_gives_what_was_calibrated(tiny):
    import torch

    folder, texts, numbers = tiny
    model, tokenizer, _ = load_backbone(folder / "backbone")
    inputs = tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=64)
    with torch.no_grad():
        logits = model.eval()(**inputs).logits.masked_fill(inputs["attention_mask"][..., None] == 0, -1e4)

    active = float((logits.amax(1) > 0).float().sum(1).mean())
    assert active == pytest.approx(numbers["active_terms"], rel=0.05)


@pytest.mark.parametrize("tiny", ["pieces"], indirect=True)
def test_a_vocabulary_that_is_not_the_tokenizers_is_refused_with_both_numbers(tiny, tmp_path):
    folder = tmp_path / "backbone"
    shutil.copytree(tiny[0] / "backbone", folder)
    pieces = len(load_backbone(folder)[1])
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"].append(["▁more", -1.0])
    path.write_text(json.dumps(tokenizer), encoding="utf-8")

    with pytest.raises(InputError, match=f"the tokenizer has {pieces + 1} pieces, the model {pieces}") as caught:
        load_backbone(folder)
    assert caught.value.where == str(folder)


@pytest.mark.parametrize("way", ["head", "all"])
@pytest.mark.parametrize("target", [30.0, 90.0])
def test_active_dimensions_are_held_at_the_target(tiny, data, tmp_path, way, target):
    _, texts, _ = tiny

    trained, _ = train(tiny, data, tmp_path / "model", train=way, batch_size=4, active_dims=target)

    weights = load_sparse_model(tmp_path / "model").encode_documents(texts)
    assert trained.active_dims == pytest.approx(target, rel=0.1)
    assert weights.nnz / 40 == pytest.approx(target, rel=0.1)


@pytest.mark.parametrize("way", ["head", "all"])
def test_training_writes_a_model_that_searches(tiny, data, tmp_path, way):
    _, texts, _ = tiny

    trained, _ = train(tiny, data, tmp_path / "model", train=way, batch_size=4)

    assert trained.steps == 6 and trained.history[-1]["step"] == 6
    model = load_sparse_model(tmp_path / "model")
    weights = model.encode_documents(texts)
    assert weights.shape == (40, len(model.terms)) and weights.data.min() > 0
    index = SparseIndex(model, weights, [f"{n}#0" for n in range(40)], [str(n) for n in range(40)])
    hits = index.search(texts[7], k=3)
    assert len(hits) == 3 and hits[0].score >= hits[1].score >= hits[2].score > 0


@pytest.mark.parametrize("way", ["head", "all"])
def test_negatives_are_mined_anew_between_rounds(tiny, data, tmp_path, way, monkeypatch, capsys):
    monkeypatch.delenv("KOSPARSE_EVENTS", raising=False)
    losses = {"kl_weight": 0.0, "info_nce_weight": 1.0, "margin_mse_weight": 1.0}

    trained, _ = train(tiny, data, tmp_path / "model", train=way, batch_size=4, rounds=3, **losses)

    assert capsys.readouterr().err.count("were mined by the model's own ranking") == 2
    assert {"info_nce", "margin_mse"} < trained.history[-2].keys() and "kl" not in trained.history[-2]


@pytest.mark.parametrize("way", ["head", "all"])
def test_passages_below_the_mask_cost_nothing(tiny, data, tmp_path, way):
    settings = {"train": way, "max_steps": 1, "batch_size": 4, "active_dims": 0.0}
    priced = []
    for most in (1, 100_000):
        trained, _ = train(tiny, data, tmp_path / str(most), flops_l0_mask=most, flops_apart=True, **settings)
        priced.append(trained.history[1]["flops"])
    assert priced[0] > 0 == priced[1]


@pytest.mark.parametrize("way", ["head", "all"])
def test_vectors_in_training_are_what_it_scores_with(tiny, data, tmp_path, way, monkeypatch):
    run, students = Trainer.run, []
    monkeypatch.setattr(Trainer, "run", lambda self: [run(self), students.append(self.student)][0])
    train(tiny, data, tmp_path / "model", train=way, max_steps=1, batch_size=4)

    (student,) = students
    weights = student.vectors()
    terms = np.unique(np.linspace(0, weights.shape[1] - 1, 9, dtype=np.int64))
    asked = [np.array([term]) for term in terms]
    queries = student.weigh(asked).numpy()
    scores = student.scores(asked, range(len(data.passages))).scores
    assert scores.detach().numpy() == pytest.approx(queries @ weights.T.toarray(), abs=1e-4)
    assert weights.nnz > 0 and queries.max() > 0 and ((queries > 0).sum(1) <= 1).all()


def test_the_same_seed_gives_the_same_history(tiny, data, tmp_path):
    rows = [train(tiny, data, tmp_path / name, batch_size=4)[0].history for name in ("a", "b")]
    clocks = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in history if row["step"] in (0, 6)]
        for history in rows
    ]

    assert clocks[0] == clocks[1]


def test_a_loss_that_is_no_number_is_said_to_be_one(tiny, data, tmp_path):
    with pytest.raises(KosparseError, match="the loss is nan"):
        train(tiny, data, tmp_path / "model", learning_rate=float("inf"))


def test_no_steps_keep_the_calibrated_backbone_at_the_target(tiny, data, tmp_path):
    _, texts, _ = tiny

    trained, _ = train(tiny, data, tmp_path / "model", max_steps=0)

    assert trained.steps == 0 and {row["step"] for row in trained.history} == {0}
    weights = load_sparse_model(tmp_path / "model").encode_documents(texts)
    assert weights.nnz / 40 == pytest.approx(60, rel=0.1)


def test_judged_queries_choose_the_state_by_their_ranking(tiny, data, tmp_path, monkeypatch, capsys):
    data.queries[:] = [query.model_copy(update={"origin": "real"}) for query in data.queries]
    found = iter([0.2, 0.9, *[0.4] * 20])
    monkeypatch.setattr("kosparse.sparse.training.ndcg_of_one", lambda scores, own: next(found))
    trained, _ = train(tiny, data, tmp_path / "model", max_steps=6)
    assert [row["validation_ndcg@10"] for row in trained.history][:2] == [0.2, 0.9]
    assert trained.kept == trained.history[1]
    assert "ranked the held-out real queries better" in capsys.readouterr().err


@pytest.mark.parametrize(("after", "kept"), [(9.0, -2), (0.1, -1)])
def test_the_row_that_is_told_is_that_of_the_state_that_is_kept(tiny, data, tmp_path, monkeypatch, after, kept):
    validate = Trainer._validate
    monkeypatch.setattr(Trainer, "_validate", lambda self, parts: validate(self, parts) and (1.0 if parts else after))
    trained, _ = train(tiny, data, tmp_path / "model", max_steps=5)
    assert trained.kept == trained.history[kept] and trained.history[-1]["step"] == 5


@pytest.mark.parametrize("learns", ["head", "all"])
def test_judged_queries_change_the_weights_of_queries_alone(tiny, data, tmp_path, learns):
    _, texts, _ = tiny
    data.queries[:] = [query.model_copy(update={"origin": "real"}) for query in data.queries]
    kept = [query.model_copy(update={} if query.split == "train" else {"origin": "pseudo"}) for query in data.queries]
    without = TrainingSet(kept, data.passages, data.teacher)  # none is held out, so that what was learnt is taken
    encoded = {}
    for spread in (0.0, 0.3):
        folder = tmp_path / str(spread)
        trained, _ = train(tiny, without, folder, train=learns, max_steps=2, judged_spread=spread)
        assert trained.judged == {}
        model = load_sparse_model(folder)
        encoded[spread] = [model.encode_documents(texts), model.encode_queries([kept[0].text, *texts[:3]])]

    assert abs(encoded[0.0][0] - encoded[0.3][0]).max() < 1e-5
    assert abs(encoded[0.0][1] - encoded[0.3][1]).max() > 1e-3

    trained, _ = train(tiny, data, tmp_path / "held out", train=learns, max_steps=2)
    assert 0 < trained.judged["judged_ndcg@10_before"] <= trained.judged["judged_ndcg@10"] <= 1


def test_nothing_to_train_on_is_refused(tiny, data, tmp_path):
    held_out = [query.model_copy(update={"split": "validation"}) for query in data.queries]

    with pytest.raises(InputError, match="no query is left"):
        train(tiny, TrainingSet(held_out, data.passages, data.teacher), tmp_path / "model")


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(InputError, match="no sparse model"):
        load_sparse_model(tmp_path)
