"""From a dense encoder to a masked language model that is sparse before any training.

The output row of a term is the mean of the contextual states of its occurrences, mixed with the dense
vector of the term by itself: the first makes a document's own terms light up, the second their
neighbours. Logits are standardised per term over the collection and shifted, so that only the top
``1 - active_quantile`` of them start above zero; without that, every term of every text is active.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kosparse.errors import InputError
from kosparse.jsonl import read_json, write_json
from kosparse.progress import note, track
from kosparse.sparse.head import find_head, make_linear, set_output
from kosparse.sparse.states import EncoderStates, encoder_states, read
from kosparse.sparse.vocabulary import prune, used_pieces, vocabulary, with_prefix

_DENSE_SHARE = 0.5
"""Weight of a term's own dense vector beside the mean of its contextual states."""
_BLOCK = 50_000
"""Tokens read at a time."""
_SAMPLE = 2000
"""Passages the output is calibrated on."""


def build_backbone(
    location: str | Path,
    passages: Sequence[str],
    more: Sequence[str],
    folder: Path,
    *,
    cache: Path,
    layers: int,
    prune_vocabulary: bool,
    max_length: int,
    active_quantile: float,
) -> dict[str, float]:
    """Write a masked language model folder; return what became of it.

    Args:
        location: Hub id or folder of an encoder or a masked language model.
        passages: The collection, which the output is calibrated on.
        more: Further text whose word pieces are kept.
        folder: Where to write; must not exist.
        cache: Folder where encoder states are kept; training reads the same ones again.
        layers: Encoder layers kept, counted from the input.
        prune_vocabulary: Keep only the word pieces that occur.
        max_length: Longest input, special tokens included.
        active_quantile: Share of logits that start at or below zero.

    Returns:
        ``terms``, ``parameters``, ``active_terms`` (mean per passage before training).

    Raises:
        InputError: The model cannot be loaded, or has no head we know.
    """
    from transformers import AutoModelForMaskedLM

    try:
        model = AutoModelForMaskedLM.from_pretrained(str(location), dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot load the backbone: {str(error).splitlines()[0]}",
            where=str(location),
            fix="Give a folder or hub id of a BERT-like encoder, or packaged:multilingual-e5-small.",
        ) from error
    tokenizer_json, kept = _tokenizer(location, [*passages, *more], prune_vocabulary)
    _cut(model, kept, layers)
    folder.mkdir(parents=True)
    prefix, query_prefix = _prefixes(location)
    tokenizer = _save_tokenizer(folder, location, with_prefix(tokenizer_json, prefix), max_length)
    model.eval()
    sample = list(passages[:: max(1, len(passages) // _SAMPLE)])[:_SAMPLE]
    body = body_fingerprint(model, tokenizer)
    states = encoder_states(model, tokenizer, sample, cache=cache, body=body, max_length=max_length)
    terms = vocabulary(tokenizer_json)
    rows = _term_rows(model, tokenizer_json, terms, states, query_prefix)
    active = _calibrate(model, rows, states, active_quantile)
    model.save_pretrained(folder)
    numbers = {
        "terms": float(len(terms)),
        "parameters": float(sum(parameter.numel() for parameter in model.parameters())),
        "active_terms": active,
    }
    write_json(folder / "backbone.json", {"source": Path(location).name, "max_length": max_length, **numbers})
    note(f"backbone: {len(terms):,} terms, {active:.0f} of them active per passage before training")
    return numbers


def load_backbone(folder: Path) -> tuple[Any, Any, int]:
    """The masked language model, its tokenizer and its longest input.

    Raises:
        InputError: The folder holds no backbone.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    try:
        model = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise InputError(
            f"not a backbone: {str(error).splitlines()[0]}", where=str(folder), fix="Run prepare_backbone again."
        ) from error
    if model.get_input_embeddings().num_embeddings != len(tokenizer):
        raise InputError(
            f"the tokenizer has {len(tokenizer)} pieces, the model {model.get_input_embeddings().num_embeddings}",
            where=str(folder),
            fix="Run prepare_backbone again.",
        )
    return model, tokenizer, int(read_json(folder / "backbone.json")["max_length"])


def body_fingerprint(model: Any, tokenizer: Any) -> str:
    """Hash of everything that decides the encoder's states; the output head is not part of it."""
    digest = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode())
    for name, tensor in sorted(model.base_model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]


def _tokenizer(location: str | Path, texts: Sequence[str], pruned: bool) -> tuple[dict[str, Any], list[int]]:
    """Content of the new ``tokenizer.json``, and the old id of each new one."""
    from transformers import AutoTokenizer

    fast = AutoTokenizer.from_pretrained(str(location), use_fast=True)
    content = json.loads(fast.backend_tokenizer.to_str())
    if not pruned:
        return content, list(range(len(vocabulary(content))))
    file = Path(location) / "tokenizer.json"
    if not file.is_file():
        from huggingface_hub import hf_hub_download

        file = Path(hf_hub_download(str(location), "tokenizer.json"))
    return prune(content, used_pieces(file, texts))


def _cut(model: Any, kept: Sequence[int], layers: int) -> None:
    """Keep the first layers and the rows of the kept pieces, in place."""
    stack = next((module for module in model.base_model.modules() if isinstance(module, nn.ModuleList)), None)
    if stack is not None and layers < len(stack):
        del stack[layers:]
        model.config.num_hidden_layers = layers
    old = model.get_input_embeddings()
    new = nn.Embedding(len(kept), old.embedding_dim)
    with torch.no_grad():
        new.weight.copy_(old.weight[torch.tensor(kept)])
    model.set_input_embeddings(new)
    model.config.vocab_size = len(kept)


def _save_tokenizer(folder: Path, location: str | Path, content: dict[str, Any], max_length: int) -> Any:
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    source = AutoTokenizer.from_pretrained(str(location), use_fast=True)
    special = {name: str(token) for name, token in source.special_tokens_map.items() if isinstance(token, str)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)), model_max_length=max_length, **special
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def _prefixes(location: str | Path) -> tuple[str, str]:
    """What the encoder wants before a document and before a query; from a sentence-transformers folder."""
    config = Path(location) / "config_sentence_transformers.json"
    prompts = read_json(config).get("prompts") or {} if config.is_file() else {}
    return prompts.get("passage") or prompts.get("document") or "", prompts.get("query") or ""


@torch.no_grad()
def _term_rows(model: Any, content: dict[str, Any], terms: Sequence[str], states: EncoderStates, prefix: str) -> Tensor:
    """One unit row per term: contextual mean (where it occurs) plus its own dense vector."""
    ids = torch.from_numpy(states.pieces.astype(np.int64))
    hidden = states.values.shape[1]
    count = torch.bincount(ids, minlength=len(terms)).float()
    total, center = torch.zeros(len(terms), hidden), torch.zeros(hidden)
    for start in range(0, len(ids), _BLOCK):
        block = torch.from_numpy(states.values[start : start + _BLOCK].astype(np.float32))
        total.index_add_(0, ids[start : start + _BLOCK], block)
        center += block.sum(0)
    center /= max(len(ids), 1)
    contextual = _unit(total / count.clamp(min=1)[:, None] - center)
    contextual[count == 0] = 0
    dense = _term_vectors(model, content, terms, prefix)
    return _unit(contextual + _DENSE_SHARE * _unit(dense - dense.mean(0)))


@torch.no_grad()
def _term_vectors(model: Any, content: dict[str, Any], terms: Sequence[str], prefix: str) -> Tensor:
    """Each term alone through the encoder, mean-pooled: shape [terms, hidden]."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(content))
    before = tokenizer.encode(prefix.strip(), add_special_tokens=False).ids if prefix else []
    frame = tokenizer.encode("").ids
    rows = [[*frame[:1], *before, term, *frame[1:]] for term in range(len(terms))]
    vectors = torch.empty(len(terms), model.config.hidden_size)
    pad = tokenizer.token_to_id("<pad>") or tokenizer.token_to_id("[PAD]") or 0
    for lines, states in read(model, [np.asarray(row, dtype=np.int32) for row in rows], pad):
        for line, state in zip(lines, states, strict=True):
            vectors[line] = state[: len(rows[line])].mean(0)
    return vectors


@torch.no_grad()
def _calibrate(model: Any, rows: Tensor, states: EncoderStates, quantile: float) -> float:
    """Set the head so that the stated share of logits is above zero; mean active terms per passage."""
    center = torch.from_numpy(states.values.astype(np.float32)).mean(0)
    head = find_head(model)
    make_linear(head, torch.eye(rows.shape[1]), center)
    head = set_output(model, head, rows, torch.zeros(len(rows)))
    best = torch.empty(len(states), len(rows))
    for text in track(range(len(states)), "calibrating", unit="passages"):
        best[text] = head.logits(states.of(text)).amax(0)
    mean, deviation = best.mean(0), best.std(0, correction=0).clamp(min=1e-4)
    standard = ((best - mean) / deviation).flatten()
    picked = standard[:: max(1, len(standard) // 1_000_000)]
    threshold = float(torch.quantile(picked, quantile))
    head.decoder.weight.copy_(rows / deviation[:, None])
    head.decoder.bias.copy_(-mean / deviation - threshold)
    return float((standard > threshold).float().mean() * len(rows))


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-9)
