"""A morpheme model starts as BM25, and its folder holds all it needs."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kosparse.corpus.lead import lead_weights
from kosparse.corpus.units import Morphemes
from kosparse.errors import InputError
from kosparse.evaluation.bm25 import Bm25
from kosparse.sparse import morpheme_head
from kosparse.sparse.activation import Activation
from kosparse.sparse.backbone import build_backbone, dense_vectors, load_backbone
from kosparse.sparse.cached_weights import document_weights
from kosparse.sparse.model import load_sparse_model, save_morpheme_model
from kosparse.sparse.morpheme_head import MorphemeHead, Saturation, calibrated_head, load_head, replace_mean, with_prior
from kosparse.sparse.morpheme_modules import MorphemeDocument
from kosparse.sparse.states import EncoderStates
from kosparse.sparse.translations import Rule, Translations
from tests.fakes.tiny_encoder import write_tiny_encoder

ACTIVATE = Activation()
TEXTS = ["셀을 보호합니다. 셀 보호를 설정합니다.", "표를 문서에 넣습니다.", "시트의 셀을 인쇄합니다."]


def test_saturation_is_that_of_bm25():
    # Two of a text of average length: 2 / (2 + 1.2); one of a text twice as long: 1 / (1 + 1.2 * 1.75).
    table = Saturation(Morphemes(["시트", "셀", "표"]), 2.0).of(["셀의 셀", "시트의 셀, 표의 표"])
    assert table[0].tolist() == pytest.approx([0, 2 / 3.2, 0])
    assert table[1, 0] == pytest.approx(1 / 3.1)


def test_a_translation_has_a_share_of_the_saturation_of_what_stands_in_the_text():
    units = Morphemes(["보호", "셀", "cell", "protect", "시트"])
    rules = [Rule(("cell",), ("셀",), 0.5), Rule(("sheet", "protect"), ("시트", "보호"), 0.4)]
    saturation = Saturation(units, 2.0, Translations(rules))
    found = saturation.of(["cell cell", "cell 셀", "sheet protect", "protect sheet"])
    assert found[0].tolist() == pytest.approx([0, -0.5 * 2 / 3.2, 2 / 3.2, 0, 0])
    assert found[1, 1] == found[1, 2] == pytest.approx(1 / 2.2), "what stands there itself is not made less"
    # ``sheet`` is no dimension: the text counts as one unit long, and the rule is found all the same.
    assert found[2].tolist() == pytest.approx([-0.4 / 1.75, 0, 0, 1 / 1.75, -0.4 / 1.75])
    assert found[3, [0, 4]].tolist() == [0, 0], "the words of a source stand next to each other, in order"


def test_a_translation_leads_where_its_source_does():
    rules = Translations([Rule(("cell",), ("셀",), 0.5)])
    saturation = Saturation(Morphemes(["셀", "cell", "sheet"]), 2.0, rules, lead=2.0)
    early, late = lead_weights(2, 2.0)
    found = saturation.of(["cell sheet", "sheet cell"])
    assert found[:, 0].tolist() == pytest.approx([-0.5 * early / (early + 1.2), -0.5 * late / (late + 1.2)])
    assert found[:, 1].tolist() == pytest.approx([early / (early + 1.2), late / (late + 1.2)])


@pytest.mark.parametrize("lead", [0.0, 2.0])
@pytest.mark.parametrize("activation", [Activation("log1p_relu"), Activation("relu")])
def test_a_head_of_zeros_scores_as_bm25(activation, lead):
    units = Morphemes(["문서", "보호", "셀", "시트", "표", "넣", "설정", "인쇄"])
    found = units.of(TEXTS)
    saturation = Saturation(units, sum(map(len, found)) / 3, lead=lead).of(TEXTS)
    weights = activation(with_prior(torch.zeros(3, 8), saturation, torch.tensor(0.0), activation))

    index = Bm25(["a", "b", "c"], [[str(unit) for unit in text] for text in found], lead=lead)
    present = (weights > 0).sum(0)
    idf = torch.log1p((3 - present + 0.5) / (present + 0.5))
    query = torch.zeros(8)
    query[[1, 2]] = idf[[1, 2]]
    assert (weights @ query).numpy() == pytest.approx(index.scores(["1", "2"]), abs=1e-5)


def test_units_of_the_text_are_not_held_back_by_the_threshold():
    logits = with_prior(torch.zeros(1, 2), torch.tensor([[0.5, 0.0]]), torch.tensor(0.7), ACTIVATE)
    assert ACTIVATE(logits)[0, 0] == pytest.approx(0.5) and logits[0, 1] == pytest.approx(-0.7)


def test_what_is_read_adds_to_a_translation_and_takes_nothing_from_it():
    read = torch.tensor([[-5.0, 9.0, -5.0]])
    logits = with_prior(read, torch.tensor([[-0.3, -0.3, 0.3]]), torch.tensor(0.7), ACTIVATE)
    assert ACTIVATE(logits)[0, 0] == pytest.approx(0.3) and logits[0, 1] == pytest.approx(9 + float(logits[0, 0]))
    assert logits[0, 2] < 0, "of the text's own word it may"


def test_logits_are_standardised_over_the_passages(tmp_path):
    states = EncoderStates(
        values=np.random.default_rng(0).normal(size=(40, 4)).astype(np.float16),
        starts=np.arange(0, 41, 4),
        pieces=np.zeros(40, dtype=np.int32),
    )
    rows = torch.nn.functional.normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), dim=1)

    head, logits, probe = calibrated_head(rows, states, tmp_path / "states")

    # Both parts have mean 0 before the shift: .15 * -1.5 + .2 * -1.5.
    assert logits.mean(0).numpy() == pytest.approx(np.full(6, -0.525), abs=1e-2)
    by_hand = head(torch.stack([states.of(text) for text in range(10)]), torch.ones(10, 4)).detach()
    assert logits.numpy() == pytest.approx(by_hand.numpy(), abs=1e-2)
    assert probe.active < probe.active_before


def test_fitted_rows_weigh_more_and_leave_what_is_read_on_average(tmp_path):
    random = np.random.default_rng(1)
    values = random.normal(size=(40, 4)).astype(np.float16)
    states = EncoderStates(values=values, starts=np.arange(0, 41, 4), pieces=np.zeros(40, dtype=np.int32))
    rows = torch.nn.functional.normalize(torch.from_numpy(random.normal(size=(6, 4)).astype(np.float32)), dim=1)
    head, _, _ = calibrated_head(rows, states, tmp_path / "states")
    centers = torch.stack([states.of(text).float().mean(0) for text in range(10)])
    before = (centers @ head.mean.T + head.bias).detach()

    replace_mean(head, rows, centers)

    after = (centers @ head.mean.T + head.bias).detach()
    assert float(after.mean()) == pytest.approx(float(before.mean()), abs=1e-5)
    assert float(after.std(0, correction=0).mean()) == pytest.approx(0.3, abs=1e-5)
    assert float(before.std(0, correction=0).mean()) == pytest.approx(0.2, abs=1e-5)


def test_what_rows_say_on_average_is_found_in_parts(monkeypatch):
    centers, rows = torch.randn(30, 4), torch.randn(11, 4)
    whole = morpheme_head._Level.of(centers @ rows.T)
    monkeypatch.setattr(morpheme_head, "_AT_ONCE", 4)
    parts = morpheme_head._Level.of_products(centers, rows)
    assert parts.mean.numpy() == pytest.approx(whole.mean.numpy(), abs=1e-6)
    assert parts.deviation.numpy() == pytest.approx(whole.deviation.numpy(), abs=1e-6)
    assert parts.size == pytest.approx(whole.size, abs=1e-6)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("morphemes")
    build(folder, TEXTS)
    return folder / "backbone"


def build(folder, texts):
    options = {"cache": folder / "states", "layers": 2, "prune_vocabulary": True, "max_length": 64}
    encoder = write_tiny_encoder(folder / "encoder", TEXTS)
    return build_backbone(encoder, texts, [], folder / "backbone", active_quantile=0.8, units="morphemes", **options)


@pytest.fixture(scope="module")
def model(backbone):
    network, tokenizer, _ = load_backbone(backbone)
    head, saturation = load_head(backbone)
    document = MorphemeDocument(network, tokenizer, replace(saturation, lead=2.0), head)
    save_morpheme_model(backbone.parent / "model", document, torch.ones(len(saturation.units.names)))
    return backbone.parent / "model"


def test_a_saved_model_gives_each_text_its_own_morphemes(model):
    loaded = load_sparse_model(model)
    query = dict(loaded.explain(loaded.encode_queries(["셀 보호 모르는말"])))
    document = dict(loaded.explain(loaded.encode_documents([TEXTS[1]])))

    assert {"셀", "보호"} <= query.keys() and set(query.values()) == {1.0}
    assert {"표", "문서"} <= document.keys()


def test_a_saved_model_knows_that_beginnings_count_for_more(backbone, model):
    assert load_head(backbone)[1].lead == 0.0
    loaded = load_sparse_model(model)
    saturation = next(part.saturation for part in loaded.encoder.modules() if isinstance(part, MorphemeDocument))
    assert saturation == replace(
        load_head(backbone)[1], lead=2.0, units=saturation.units, translations=saturation.translations
    )


def test_a_text_has_the_same_weights_in_any_batch(model):
    loaded = load_sparse_model(model)
    together = loaded.encode_documents(TEXTS).toarray()
    alone = loaded.encode_documents(TEXTS[:1]).toarray()
    assert together[0] == pytest.approx(alone[0], abs=1e-5)


def test_sentence_transformers_loads_it_when_told_to_trust_the_package(model):
    from sentence_transformers import SparseEncoder

    plain = SparseEncoder(str(model), device="cpu", trust_remote_code=True)
    ours = load_sparse_model(model).encode_documents(TEXTS).toarray()
    assert plain.encode_document(TEXTS).to_dense().numpy() == pytest.approx(ours, abs=1e-5)
    assert plain.decode(plain.encode_query(["표"]))[0] == [("표", 1.0)]


def test_the_folder_holds_no_pickle(model):
    kinds = {path.suffix for path in model.rglob("*") if path.is_file()}
    assert not kinds & {".bin", ".pt", ".pkl", ".npy"}


def test_classes_of_strangers_are_not_loaded(model, tmp_path):
    import shutil

    folder = shutil.copytree(model, tmp_path / "model")
    config = json.loads((folder / "router_config.json").read_text(encoding="utf-8"))
    config["types"] = {name: "os.path" for name in config["types"]}
    (folder / "router_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match="neither sentence-transformers' nor ours: os.path"):
        load_sparse_model(folder)


def test_an_encoder_whose_weights_are_pickled_is_refused_and_how_to_mend_it_said(tmp_path):
    encoder = write_tiny_encoder(tmp_path / "encoder", TEXTS)
    weights = encoder / "model.safetensors"
    torch.save(load_file(weights), encoder / "pytorch_model.bin")
    weights.unlink()
    options = {"cache": tmp_path / "states", "layers": 2, "prune_vocabulary": True, "max_length": 64}
    with pytest.raises(InputError, match="pickled ones are not read") as caught:
        build_backbone(encoder, TEXTS, [], tmp_path / "backbone", active_quantile=0.8, units="pieces", **options)
    assert "save_pretrained" in caught.value.fix and not (tmp_path / "backbone").exists()


def test_one_passage_is_enough_for_a_backbone(tmp_path):
    numbers = build(tmp_path, TEXTS[:1])
    assert numbers["terms"] >= 3 and np.isfinite(numbers["active_terms"])


def test_passages_without_a_word_are_refused(tmp_path):
    with pytest.raises(InputError, match="no word"):
        build(tmp_path, ["...", "!!"])


def test_names_and_rows_that_do_not_belong_together_are_refused(backbone, tmp_path):
    import shutil

    folder = shutil.copytree(backbone, tmp_path / "backbone")
    (folder / "units.json").write_text('["셀"]', encoding="utf-8")
    with pytest.raises(InputError, match="1 morphemes but"):
        load_head(folder)


def test_a_head_is_saved_with_its_threshold():
    head = MorphemeHead(torch.ones(2, 3), torch.ones(2, 3), torch.zeros(2), torch.tensor(0.25))
    assert float(head.state_dict()["threshold"]) == 0.25


@pytest.mark.parametrize("activation", ["log1p_relu", "relu"])
def test_weights_from_cached_states_are_those_of_the_encoder(backbone, model, monkeypatch, activation):
    loaded = load_sparse_model(model)
    head = next(part for part in loaded.encoder.modules() if isinstance(part, MorphemeHead))
    head.activation = Activation(activation)
    exact = loaded.encode_documents(TEXTS)
    counted = []
    encode = loaded.encode_documents
    monkeypatch.setattr(loaded, "encode_documents", lambda texts: counted.append(len(texts)) or encode(texts))

    cached = document_weights(loaded, TEXTS, backbone.parent / "states")
    assert cached.toarray() == pytest.approx(exact.toarray(), abs=5e-3)
    assert sum(counted) <= 4  # the check, not the collection
    counted.clear()
    document_weights(loaded, [*TEXTS, "처음 보는 글"], backbone.parent / "states")
    assert counted == [len(TEXTS) + 1]


def test_dense_vectors_are_the_unit_means_of_the_states(backbone, tmp_path):
    vectors = dense_vectors(backbone, TEXTS, backbone.parent / "states")
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-4)
    assert dense_vectors(backbone, TEXTS, tmp_path) is None
