"""The largest logit of each term over the tokens of each text, without the logits of all tokens.

SPLADE weighs a term by its largest logit over the tokens (Formal et al. 2021, arXiv 2109.10086, eq. 6). The plain
way keeps logits of shape [texts, tokens, vocabulary], several times over. Activations grow with the logit and the
bias is the same for all tokens, so both can wait until after the maximum; and the gradient of a maximum flows
through the winning token alone. So the vocabulary is worked off in blocks that stay in the processor's cache, and
what is kept for the way back is one token per text and term.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from kosparse.settings import settings

EMPTY = -1e4
"""Logit of every term in a text without tokens; half precision still holds it."""
_BLOCK_BYTES = {"cpu": 2**21}
"""Of one block of logits, by device: what a processor's cache holds."""
_MOST_BLOCK_BYTES = 2**27
"""Of any other device."""
_GROUP_TOKENS = 512
"""Texts multiplied together: short ones alone would read the whole decoder for a few tokens each."""
_ENTRIES = 2**18
"""Entries of the gradient worked off at a time."""


def max_logits(states: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``(states @ weight.T + bias)``, its maximum over the tokens of each text; differentiable.

    Args:
        states: Transformed states, what the decoder multiplies: shape [texts, tokens, hidden].
        mask: Non-zero where a token counts: shape [texts, tokens].
        weight: Rows of the decoder, shape [terms, hidden].
        bias: Shape [terms].

    Returns:
        Shape [texts, terms], of the states' type; ``EMPTY`` for a text without tokens.
    """
    counted = mask.bool()
    return max_logits_packed(states[counted], counted.sum(1), weight, bias)


def max_logits_packed(states: Tensor, lengths: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``max_logits`` of texts that lie one after the other, without padding.

    Args:
        states: Shape [tokens of all texts, hidden].
        lengths: Tokens of each text, int64: shape [texts].
        weight: Shape [terms, hidden].
        bias: Shape [terms].
    """
    if torch.is_autocast_enabled(states.device.type):
        states = states.to(torch.get_autocast_dtype(states.device.type))
    bounds = [0, *torch.cumsum(lengths, 0).tolist()]
    best: Tensor = _BestTokens.apply(states, weight, bounds)
    if bias is None:
        return best
    return torch.where((lengths > 0)[:, None], best + bias.to(best.dtype), best)


@torch.no_grad()
def best_tokens(states: Tensor, weight: Tensor, bounds: list[int], *, places: bool = True) -> tuple[Tensor, Tensor]:
    """The largest product of each row with any token of each text, and where it stands.

    Args:
        states: Shape [tokens of all texts, hidden].
        weight: Shape [terms, hidden].
        bounds: Tokens of text i are ``bounds[i]:bounds[i + 1]``.
        places: Whether the second result is wanted; without it the search is faster.

    Returns:
        The products, shape [texts, terms], and rows of ``states``, int32, same shape (or empty): -1 in a text
        without tokens.
    """
    kernel = _kernel(states)
    if kernel is not None:
        found_best: tuple[Tensor, Tensor] = kernel.best_tokens(states, weight.to(states.dtype), bounds, EMPTY)
        return found_best
    shape = (len(bounds) - 1, len(weight))
    best = states.new_full(shape, EMPTY)
    found = torch.full(shape if places else (0, 0), -1, dtype=torch.int32, device=states.device)
    groups = list(_groups(bounds))
    widest = max((bounds[last] - bounds[first] for first, last in groups), default=1)
    for terms in _blocks(len(weight), _rows(states, widest)):
        rows = weight[terms].to(states.dtype)
        for first, last in groups:
            logits = rows @ states[bounds[first] : bounds[last]].T
            for text in range(first, last):
                start, end = bounds[text], bounds[text + 1]
                own = logits[:, start - bounds[first] : end - bounds[first]]
                if start == end:
                    continue
                if places:
                    best[text, terms], winner = own.max(1)
                    found[text, terms] = (winner + start).int()
                else:
                    best[text, terms] = own.amax(1)
    return best, found


class _BestTokens(torch.autograd.Function):
    """``best_tokens`` with the gradient through the winners alone, summed in single precision."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, bounds: list[int]) -> Tensor:
        best, found = best_tokens(states, weight, bounds, places=any(ctx.needs_input_grad))
        ctx.save_for_backward(states, weight, found)
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (states, weight, found), (gradient,) = ctx.saved_tensors, gradients
        of_states, of_weight = ctx.needs_input_grad[:2]
        for_states = torch.zeros(states.shape, device=states.device) if of_states else None
        for_weight = torch.empty_like(weight) if of_weight else None
        single = states.float()
        for terms in _blocks(len(weight), max(1, _ENTRIES // max(1, len(found)))):
            amounts, winners = gradient[:, terms].T, found[:, terms].T
            term, text = ((amounts != 0) & (winners >= 0)).nonzero(as_tuple=True)
            amount, token = amounts[term, text].float(), winners[term, text].long()
            rows = weight[terms]
            if for_weight is not None:
                for_weight[terms] = _sums(single, token, term, amount, len(rows))
            if for_states is not None:
                order = torch.argsort(token, stable=True)
                for_states += _sums(rows.float(), term[order], token[order], amount[order], len(states))
        return None if for_states is None else for_states.to(states.dtype), for_weight, None


def _kernel(states: Tensor) -> Any:
    """The module with the kernel for this device, where it is asked for (``KOSPARSE_TRITON=1``) and can run."""
    if not states.is_cuda or not settings().triton:
        return None
    from kosparse.sparse import fused_kernel

    return fused_kernel


def _sums(table: Tensor, picked: Tensor, bags: Tensor, amounts: Tensor, count: int) -> Tensor:
    """Weighted sums of rows of a table, one per bag: shape [count, columns].

    Args:
        table: Shape [rows, columns].
        picked: Rows of the entries.
        bags: Bag of each entry, ascending.
        amounts: Factor of each entry.
        count: Number of bags.
    """
    starts = torch.searchsorted(bags, torch.arange(count, device=bags.device))
    return nn.functional.embedding_bag(picked, table, starts, mode="sum", per_sample_weights=amounts)


def _groups(bounds: list[int]) -> Iterator[tuple[int, int]]:
    """Runs of texts, first and one past the last, of at most ``_GROUP_TOKENS`` tokens or one text.

    >>> list(_groups([0, 300, 400, 1400, 1410]))
    [(0, 2), (2, 3), (3, 4)]
    """
    first = 0
    for text, (_, end) in enumerate(pairwise(bounds)):
        if text > first and end - bounds[first] > _GROUP_TOKENS:
            yield first, text
            first = text
    if first < len(bounds) - 1:
        yield first, len(bounds) - 1


def _rows(states: Tensor, tokens: int) -> int:
    """Terms whose logits for so many tokens make one block."""
    most = _BLOCK_BYTES.get(states.device.type, _MOST_BLOCK_BYTES)
    return max(128, most // (max(1, tokens) * states.element_size()))


def _blocks(total: int, size: int) -> Iterator[slice]:
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))
