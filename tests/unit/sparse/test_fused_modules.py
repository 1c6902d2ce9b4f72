"""One call gives a SparseEncoder the fused head; what it computes and saves stays as it was."""

import copy
import json

import pytest
import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sparse_encoder.losses import SparseMultipleNegativesRankingLoss, SpladeLoss
from sentence_transformers.sparse_encoder.modules import Router, SparseStaticEmbedding, SpladePooling
from transformers import AutoModelForMaskedLM, AutoTokenizer

from kosparse.errors import InputError
from kosparse.sparse.fused_modules import fuse, unfuse
from kosparse.sparse.model import SparseModel
from tests.fakes.tiny_encoder import write_tiny_encoder

TEXTS = ["셀을 보호합니다. 시트의 셀을 잠급니다.", "표를 문서에 넣습니다.", "인쇄", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("fused")
    encoder = write_tiny_encoder(root, TEXTS)
    AutoModelForMaskedLM.from_pretrained(encoder).save_pretrained(root / "mlm")
    AutoTokenizer.from_pretrained(encoder).save_pretrained(root / "mlm")
    return root / "mlm"


@pytest.fixture
def encoder(folder):
    transformer = Transformer(str(folder), transformer_task="fill-mask")
    return SparseEncoder(modules=[transformer, SpladePooling("max", "log1p_relu")], device="cpu")


def test_embeddings_stay_the_same_and_can_be_switched_back(encoder):
    before = encoder.encode(TEXTS).to_dense()
    assert fuse(encoder) == 1
    torch.testing.assert_close(encoder.encode(TEXTS).to_dense(), before, rtol=1e-5, atol=1e-6)

    unfuse(encoder)
    assert torch.equal(encoder.encode(TEXTS).to_dense(), before)


def test_training_takes_the_same_step(encoder):
    def gradients(model):
        loss = SpladeLoss(model, SparseMultipleNegativesRankingLoss(model), document_regularizer_weight=0.1)
        features = [model.preprocess([TEXTS[0], TEXTS[1]]), model.preprocess([TEXTS[1], TEXTS[2]])]
        model.train()
        for part in model.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        sum(loss(features, None).values()).backward()
        return {name: part.grad for name, part in model.named_parameters() if part.grad is not None}

    twin = copy.deepcopy(encoder)
    fuse(twin)
    theirs, ours = gradients(encoder), gradients(twin)
    assert theirs.keys() == ours.keys() and len(theirs) > 20
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-4, atol=1e-6)


def test_a_saved_model_is_plain(encoder, tmp_path):
    before = encoder.encode(TEXTS).to_dense()
    fuse(encoder)
    encoder.save(str(tmp_path / "model"))

    types = [part["type"] for part in json.loads((tmp_path / "model" / "modules.json").read_text(encoding="utf-8"))]
    assert all(name.startswith("sentence_transformers.") for name in types)
    loaded = SparseEncoder(str(tmp_path / "model"), device="cpu")
    torch.testing.assert_close(loaded.encode(TEXTS).to_dense(), before, rtol=1e-5, atol=1e-6)


def test_the_document_side_of_a_router_is_found(encoder):
    before = encoder.encode(TEXTS).to_dense()
    query = SparseStaticEmbedding(tokenizer=encoder.tokenizer)
    router = Router.for_query_document(query_modules=[query], document_modules=list(encoder))
    inference_free = SparseEncoder(modules=[router], device="cpu")

    assert fuse(inference_free) == 1
    torch.testing.assert_close(inference_free.encode_document(TEXTS).to_dense(), before, rtol=1e-5, atol=1e-6)


def test_the_padding_of_a_head_is_no_term(encoder):
    network = encoder[0].model
    network.resize_token_embeddings(len(encoder.tokenizer) + 24)
    fuse(encoder)
    model = SparseModel(encoder)

    weights = model.encode_documents(TEXTS)
    assert weights.shape == (4, len(encoder.tokenizer))
    assert all(model.explain(weights[row]) for row in range(3))


def test_a_sum_over_tokens_is_refused(folder):
    transformer = Transformer(str(folder), transformer_task="fill-mask")
    with pytest.raises(InputError, match="pools by max, this model by sum"):
        fuse(SparseEncoder(modules=[transformer, SpladePooling("sum")], device="cpu"))


def test_a_model_without_splade_pooling_is_refused(encoder):
    with pytest.raises(InputError, match="no transformer followed by SpladePooling"):
        fuse(SparseEncoder(modules=[SparseStaticEmbedding(tokenizer=encoder.tokenizer)], device="cpu"))


def test_a_backbone_without_a_head_is_refused(folder):
    transformer = Transformer(str(folder))
    with pytest.raises(InputError, match="no masked-language-model head"):
        fuse(SparseEncoder(modules=[transformer, SpladePooling("max")], device="cpu"))


def test_a_tokenizer_larger_than_the_head_is_refused(encoder):
    encoder.tokenizer.add_tokens(["새말"])
    with pytest.raises(InputError, match="the tokenizer has .* pieces, the head only"):
        fuse(encoder)
