"""A short masked-language-model training of the encoder on the user's own text, before its output is made.

Some word pieces are hidden and guessed from the others (masked language modelling, Devlin et al. 2019, 1810.04805,
section 3.1). Where the same is said in two languages, both texts are read at once, so that a hidden word can be guessed
from its translation (translation language modelling, Conneau and Lample 2019, 1901.07291, section 3.3).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kosparse.errors import InputError
from kosparse.progress import Bar, note
from kosparse.sparse.device import best_device
from kosparse.sparse.head import find_head, set_output

_MASKED = 0.3
"""Share of the pieces that are hidden; of these 80 % become the mask, 10 % another piece, 10 % stay."""
_BATCH, _LONGEST = 16, 256
"""Texts of a batch and tokens of a text; a longer passage is read in parts."""
_PARALLEL = 0.5
"""Share of a batch that is parallel text, where there is any."""
_WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""
_HELD_OUT, _MOST_HELD_OUT = 20, 128
"""Every so manieth text is not learnt from, at most so many: the loss before and after is that of these."""


@dataclass(frozen=True)
class Adaptation:
    """How much of it."""

    steps: int
    """0 leaves the encoder as it is."""
    seconds: float
    learning_rate: float
    seed: int


def adapt(
    model: Any,
    kept: Sequence[int],
    tokenizer: Any,
    texts: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    how: Adaptation,
) -> dict[str, float]:
    """Train encoder and head in place; an encoder that got worse is put back as it was.

    Args:
        model: A masked language model with the tokenizer's pieces for input; its output becomes the same embeddings.
        kept: What each piece was in the model's own vocabulary.
        tokenizer: With a mask token.
        texts: The collection.
        pairs: Texts that say the same in two languages; may be none.
        how: Steps, time and rate.

    Returns:
        ``mlm_loss_before`` and ``mlm_loss`` of held-out texts (mean cross entropy of a hidden piece, in nats), and
        ``mlm_steps``.

    Raises:
        InputError: The tokenizer has no mask token, or there is nothing to read.
    """
    rows = _Rows(tokenizer, texts, pairs, how.seed)
    embeddings, head = model.get_input_embeddings(), find_head(model)
    head = set_output(model, head, embeddings.weight, head.decoder.bias[torch.tensor(kept)])
    head.decoder.weight = embeddings.weight
    model.to(best_device())
    before, start = _held_out_loss(model, rows), copy.deepcopy(model.state_dict())
    steps = _train(model, rows, how)
    after = _held_out_loss(model, rows)
    if not after < before:
        model.load_state_dict(start)
        note(f"adaptation did not help (loss {before:.3f}, then {after:.3f}): the encoder stays as it was")
        after = before
    else:
        note(f"adapted to the collection in {steps} steps: a hidden piece costs {after:.3f} nats, it was {before:.3f}")
    model.to("cpu").eval()
    return {"mlm_loss_before": before, "mlm_loss": after, "mlm_steps": float(steps)}


class _Rows:
    """Token ids of what is read, and batches of them with some pieces hidden."""

    def __init__(self, tokenizer: Any, texts: Sequence[str], pairs: Sequence[tuple[str, str]], seed: int) -> None:
        from transformers import DataCollatorForLanguageModeling

        if tokenizer.mask_token is None:
            raise InputError(
                "the backbone's tokenizer has no mask token, so its encoder cannot be adapted",
                where="prepare_backbone.model",
                fix="Set prepare_backbone.adapt_steps=0, or give a masked language model.",
            )
        cut = {"truncation": True, "max_length": min(_LONGEST, tokenizer.model_max_length)}
        alone = tokenizer(list(texts), return_overflowing_tokens=True, **cut)["input_ids"] if texts else []
        sides = [list(side) for side in zip(*pairs, strict=True)]
        both = tokenizer(*sides, **cut)["input_ids"] if sides else []
        self.held_out = [*alone[::_HELD_OUT], *both[::_HELD_OUT]][:_MOST_HELD_OUT]
        self.alone, self.both = (
            [row for place, row in enumerate(rows) if place % _HELD_OUT] or rows for rows in (alone, both)
        )
        if not self.held_out:
            raise InputError("there is no text to adapt to", where="passages", fix="Check the corpus.")
        self._random = np.random.default_rng(seed)
        self._hide = {"tokenizer": tokenizer, "mlm_probability": _MASKED}
        self._collate = DataCollatorForLanguageModeling(**self._hide, seed=seed)

    def draw(self) -> dict[str, Tensor]:
        """A batch to learn from."""
        parallel = round(_PARALLEL * _BATCH) if self.both else 0
        drawn = self._some(self.both, parallel) + self._some(self.alone or self.both, _BATCH - parallel)
        return dict(self._collate([{"input_ids": row} for row in drawn]))

    def check(self) -> Iterator[dict[str, Tensor]]:
        """The held-out texts, the same pieces hidden each time."""
        from transformers import DataCollatorForLanguageModeling

        collate = DataCollatorForLanguageModeling(**self._hide, seed=0)
        for start, end in pairwise([*range(0, len(self.held_out), _BATCH), len(self.held_out)]):
            yield dict(collate([{"input_ids": row} for row in self.held_out[start:end]]))

    def _some(self, rows: Sequence[Any], count: int) -> list[Any]:
        return [rows[place] for place in self._random.choice(len(rows), min(count, len(rows)), replace=False)]


def _train(model: Any, rows: _Rows, how: Adaptation) -> int:
    """Take the steps, fewer when time is up; how many there were."""
    torch.manual_seed(how.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=how.learning_rate)
    warm = max(1.0, _WARM_UP * how.steps)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (how.steps - step) / max(1.0, how.steps - warm))
    )
    model.train()
    bar, started = Bar("adapting", how.steps, "steps"), time.monotonic()
    while bar.done < how.steps and time.monotonic() - started < how.seconds:
        total, hidden = _loss(model, rows.draw())
        loss = total / max(1, hidden)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        bar.detail = f"loss {float(loss.detach()):.3f}"
        bar.advance()
    bar.close()
    return bar.done


@torch.no_grad()
def _held_out_loss(model: Any, rows: _Rows) -> float:
    """Mean over the hidden pieces of the held-out texts."""
    model.eval()
    found = [_loss(model, batch) for batch in rows.check()]
    return math.fsum(float(total) for total, _ in found) / max(1, sum(hidden for _, hidden in found))


def _loss(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    """Cross entropy of the hidden pieces, summed, and how many there are; others need no output."""
    device = model.get_input_embeddings().weight.device
    ids, mask, labels = (batch[name].to(device) for name in ("input_ids", "attention_mask", "labels"))
    states = model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
    hidden = labels >= 0
    logits = find_head(model).logits(states[hidden])
    return nn.functional.cross_entropy(logits, labels[hidden], reduction="sum"), int(hidden.sum())
