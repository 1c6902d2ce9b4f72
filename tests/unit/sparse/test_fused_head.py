"""The fused head gives what projection, activation and maximum give, without ever holding all logits."""

import secrets
from itertools import product

import pytest
import torch
from sentence_transformers.sparse_encoder.modules import SpladePooling
from torch.utils._python_dispatch import TorchDispatchMode

from kosparse.sparse import fused_head
from kosparse.sparse.activation import Activation
from kosparse.sparse.fused_head import EMPTY, max_logits, max_logits_packed

TEXTS, TOKENS, HIDDEN, TERMS = 5, 12, 8, 700


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks of terms, several groups of texts, several rounds on the way back."""
    monkeypatch.setattr(fused_head, "_BLOCK_BYTES", {"cpu": 1})
    monkeypatch.setattr(fused_head, "_GROUP_TOKENS", 20)
    monkeypatch.setattr(fused_head, "_ENTRIES", 1000)


def drawn(seed, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(TEXTS, TOKENS, HIDDEN, generator=generator).to(dtype)
    mask = (torch.rand(TEXTS, TOKENS, generator=generator) < 0.7).long()
    mask[2] = 0
    weight = torch.randn(TERMS, HIDDEN, generator=generator).to(dtype)
    bias = torch.randn(TERMS, generator=generator).to(dtype)
    return states, mask, weight, bias, torch.randn(TEXTS, TERMS, generator=generator).to(dtype)


def plain(states, mask, weight, bias, activation):
    pooling = SpladePooling("max", activation)
    pooling.train()
    logits = torch.nn.functional.linear(states, weight, bias)
    return pooling({"token_embeddings": logits, "attention_mask": mask})["sentence_embedding"]


def fused(states, mask, weight, bias, activation):
    return Activation(activation)(max_logits(states, mask, weight, bias))


def value_and_gradients(head, states, mask, weight, bias, toward, activation):
    learnt = [part.clone().requires_grad_() for part in (states, weight, bias) if part is not None]
    value = head(learnt[0], mask, learnt[1], learnt[2] if bias is not None else None, activation)
    (value * toward).sum().backward()
    return [value.detach(), *(part.grad for part in learnt)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("activation,with_bias", product(["relu", "log1p_relu"], [True, False]))
def test_value_and_gradients_are_those_of_the_plain_head(seed, activation, with_bias):
    states, mask, weight, bias, toward = drawn(seed)
    inputs = states, mask, weight, bias if with_bias else None, toward, activation

    for ours, theirs in zip(value_and_gradients(fused, *inputs), value_and_gradients(plain, *inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_nor_does_an_input_that_nobody_chose_tell_them_apart():
    seed = secrets.randbelow(2**32)
    inputs = *drawn(seed), "log1p_relu"
    for ours, theirs in zip(value_and_gradients(fused, *inputs), value_and_gradients(plain, *inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5, msg=lambda said: f"seed {seed}: {said}")


def test_half_precision_is_as_near_to_single_as_the_plain_head_is():
    states, mask, weight, bias, toward = drawn(7)
    exact = value_and_gradients(fused, states, mask, weight, bias, toward, "log1p_relu")
    half = drawn(7, torch.bfloat16)
    inputs = (half[0], half[1], half[2], half[3], half[4], "log1p_relu")

    ours, theirs = value_and_gradients(fused, *inputs), value_and_gradients(plain, *inputs)
    for mine, other, right in zip(ours, theirs, exact, strict=True):
        assert mine.dtype == torch.bfloat16
        assert (mine.float() - right).norm() <= 1.1 * (other.float() - right).norm()


def test_autocast_multiplies_in_half_precision():
    states, mask, weight, bias, _ = drawn(1)
    with torch.autocast("cpu", torch.bfloat16):
        logits = max_logits(states, mask, weight, bias)
    assert logits.dtype == torch.bfloat16
    torch.testing.assert_close(logits.float(), max_logits(states, mask, weight, bias), rtol=0.03, atol=0.06)


def test_the_largest_logit_and_its_gradient_by_hand():
    states = torch.tensor([[[1.0, 0.0], [0.0, 3.0]], [[2.0, 1.0], [9.0, 9.0]]], requires_grad=True)
    mask = torch.tensor([[1, 1], [1, 0]])
    weight = torch.tensor([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]], requires_grad=True)
    bias = torch.tensor([0.0, 0.5, 0.0], requires_grad=True)

    logits = max_logits(states, mask, weight, bias)
    # Text 0: rows give 1, 0 | 1, 3 | -1, 0 for its two tokens. Text 1: 2, 3, -2, its second token does not count.
    assert logits.tolist() == [[1.0, 3.5, 0.0], [2.0, 3.5, -2.0]]

    logits[:, 1].sum().backward()
    # The second row wins with token 1 of text 0 and token 0 of text 1.
    assert states.grad.tolist() == [[[0.0, 0.0], [1.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]]
    assert weight.grad.tolist() == [[0.0, 0.0], [2.0, 4.0], [0.0, 0.0]]
    assert bias.grad.tolist() == [0.0, 2.0, 0.0]


def test_of_equal_tokens_one_gets_the_gradient():
    states = torch.ones(1, 3, 2, requires_grad=True)
    max_logits(states, torch.ones(1, 3), torch.ones(1, 2)).sum().backward()
    assert states.grad.sum().item() == 2.0


def test_a_text_without_tokens_is_empty_and_teaches_nothing():
    states, _, weight, bias, _ = (part.requires_grad_() if part.is_floating_point() else part for part in drawn(0))
    logits = max_logits(states, torch.zeros(TEXTS, TOKENS), weight, bias)

    assert (logits == EMPTY).all() and (Activation("relu")(logits) == 0).all()
    logits.sum().backward()
    assert not states.grad.any() and not weight.grad.any() and not bias.grad.any()


def test_no_texts_give_no_rows():
    assert max_logits(torch.zeros(0, 4, HIDDEN), torch.zeros(0, 4), torch.ones(TERMS, HIDDEN)).shape == (0, TERMS)


def test_packed_texts_are_read_as_padded_ones():
    states, mask, weight, bias, _ = drawn(5)
    packed = max_logits_packed(states[mask.bool()], mask.sum(1), weight, bias)
    assert torch.equal(packed, max_logits(states, mask, weight, bias))


class Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor any operation returns."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple | list) else [result]:
            if isinstance(part, torch.Tensor):
                self.elements = max(self.elements, part.numel())
        return result


def test_logits_of_all_tokens_are_never_held():
    states, weight = torch.randn(4, 64, HIDDEN, requires_grad=True), torch.randn(5000, HIDDEN, requires_grad=True)
    with Largest() as largest:
        max_logits(states, torch.ones(4, 64), weight, torch.zeros(5000)).sum().backward()

    # The decoder's gradient, 5000 x 8, is the largest; the logits would be 4 x 64 x 5000.
    assert largest.elements == 5000 * HIDDEN
