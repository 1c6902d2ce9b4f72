"""``best_tokens`` as one Triton kernel, for GPUs; used where ``KOSPARSE_TRITON=1`` is set and Triton is installed.

A program takes one text and a block of terms, walks over the text's tokens, and keeps the largest product and where
it stands: logits never leave the chip. It has run in Triton's interpreter only, on a CPU: hence the switch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kosparse.errors import ConfigError

try:
    import triton
    import triton.language as tl
except ImportError:  # torch's builds without CUDA bring none
    triton = tl = None

_jit: Any = triton.jit if triton else lambda kernel: kernel
_TERMS, _TOKENS, _HIDDEN = 64, 64, 32
"""Of a tile."""


def best_tokens(states: Tensor, weight: Tensor, bounds: list[int], empty: float) -> tuple[Tensor, Tensor]:
    """The largest product of each row with any token of each text, and where it stands.

    Args:
        states: Shape [tokens of all texts, hidden].
        weight: Shape [terms, hidden], of the states' type.
        bounds: Tokens of text i are ``bounds[i]:bounds[i + 1]``.
        empty: What a text without tokens gets.

    Returns:
        Shape [texts, terms] each; places are rows of ``states``, int32, -1 in a text without tokens.

    Raises:
        ConfigError: Triton is not installed.
    """
    if triton is None:
        raise ConfigError("Triton is not installed", where="KOSPARSE_TRITON=1", fix="Install it, or unset this.")
    texts, terms = len(bounds) - 1, len(weight)
    best = states.new_empty((texts, terms))
    found = torch.empty((texts, terms), dtype=torch.int32, device=states.device)
    if texts and terms:
        # Texts vary fastest, so that neighbours read the same rows.
        _best_tokens[(texts, triton.cdiv(terms, _TERMS))](
            states.contiguous(),
            weight.contiguous(),
            torch.tensor(bounds, dtype=torch.int64, device=states.device),
            best,
            found,
            terms,
            weight.shape[1],
            empty,
            TERMS=_TERMS,
            TOKENS=_TOKENS,
            HIDDEN=_HIDDEN,
        )
    return best, found


@_jit
def _best_tokens(  # type: ignore[no-untyped-def]  # noqa: ANN202  # Triton has annotations of its own
    states,  # noqa: ANN001
    weight,  # noqa: ANN001
    bounds,  # noqa: ANN001
    best,  # noqa: ANN001
    found,  # noqa: ANN001
    terms,  # noqa: ANN001
    hidden,  # noqa: ANN001
    empty,  # noqa: ANN001
    TERMS: tl.constexpr,
    TOKENS: tl.constexpr,
    HIDDEN: tl.constexpr,
):
    text = tl.program_id(0).to(tl.int64)
    term = tl.program_id(1).to(tl.int64) * TERMS + tl.arange(0, TERMS)
    start, end = tl.load(bounds + text), tl.load(bounds + text + 1)
    top = tl.full((TERMS,), float("-inf"), tl.float32)
    place = tl.full((TERMS,), -1, tl.int64)
    for first in range(start, end, TOKENS):
        token = first + tl.arange(0, TOKENS)
        products = tl.zeros((TERMS, TOKENS), tl.float32)
        for at in range(0, hidden, HIDDEN):
            column = at + tl.arange(0, HIDDEN)
            rows = tl.load(
                weight + term[:, None] * hidden + column[None, :],
                mask=(term[:, None] < terms) & (column[None, :] < hidden),
                other=0.0,
            )
            some = tl.load(
                states + token[None, :] * hidden + column[:, None],
                mask=(token[None, :] < end) & (column[:, None] < hidden),
                other=0.0,
            )
            products += tl.dot(rows, some, input_precision="ieee")
        products = tl.where(token[None, :] < end, products, float("-inf"))
        here, winner = tl.max(products, axis=1, return_indices=True)
        better = here > top
        top = tl.where(better, here, top)
        place = tl.where(better, first + winner, place)
    top = tl.where(start < end, top, empty)
    tl.store(best + text * terms + term, top.to(best.dtype.element_ty), mask=term < terms)
    tl.store(found + text * terms + term, place.to(tl.int32), mask=term < terms)
