"""From a dense encoder to a backbone: vocabulary cut to the collection, output ready for training.

Which output depends on the units of the sparse space: a masked-language-model head over word pieces, or a
head of our own over the collection's morphemes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer
from torch import nn

from kosparse.corpus.units import Morphemes, collection_morphemes
from kosparse.errors import InputError
from kosparse.jsonl import read_json, write_json
from kosparse.ports import Vectors
from kosparse.progress import note
from kosparse.sparse.adaptation import Adaptation, adapt
from kosparse.sparse.dense_rows import dense_rows
from kosparse.sparse.device import best_device, moved
from kosparse.sparse.head import find_head, set_output
from kosparse.sparse.morpheme_head import Saturation, calibrated_head, save_head, with_prior
from kosparse.sparse.piece_head import calibrate, piece_rows
from kosparse.sparse.probe import Probe
from kosparse.sparse.states import EncoderStates, cached_states, encoder_states
from kosparse.sparse.vocabulary import prunable, prune, used_pieces, vocabulary, with_prefix
from kosparse.trust import why_not_loaded

_SAMPLE = 2000
"""Passages the output is calibrated on."""


def build_backbone(
    location: str | Path,
    passages: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    folder: Path,
    *,
    cache: Path,
    layers: int,
    prune_vocabulary: bool,
    max_length: int,
    active_quantile: float,
    units: Literal["morphemes", "pieces"],
    max_units: int = 100_000,
    adaptation: Adaptation | None = None,
) -> dict[str, float]:
    """Write a masked language model folder, with a head over morphemes beside it if asked; return what became of it.

    Args:
        location: Hub id or folder of an encoder or a masked language model.
        passages: The collection, which the output is calibrated on.
        pairs: Texts that say the same in Korean and English; their word pieces are kept, and adaptation reads them.
        folder: Where to write; must not exist.
        cache: Folder where encoder states are kept; training reads the same ones again.
        layers: Encoder layers kept, counted from the input.
        prune_vocabulary: Keep only the word pieces that occur.
        max_length: Longest input, special tokens included.
        active_quantile: Share of logits that start at or below zero; pieces only.
        units: Of the sparse space.
        max_units: Morphemes at most, those of the most passages.
        adaptation: Masked language modelling on the collection before anything else; none by default.

    Returns:
        ``terms``, ``parameters``, ``active_terms`` (mean per passage before training), the probe's figures, and the
        losses of ``adapt`` where it was asked for.

    Raises:
        InputError: The model cannot be loaded, adapted, has no head we know, or there is no text to make units of.
    """
    from transformers import AutoModelForMaskedLM

    torch.manual_seed(0)  # A head that the model lacks is drawn: alike in every process.
    try:
        model = AutoModelForMaskedLM.from_pretrained(str(location), dtype=torch.float32, use_safetensors=True)
    except (OSError, ValueError) as error:
        reason, fix = why_not_loaded(
            error, "Give a folder or hub id of a BERT-like encoder, or packaged:multilingual-e5-small."
        )
        raise InputError(f"cannot load the backbone: {reason}", where=str(location), fix=fix) from error
    vars(model.config).pop("auto_map", None)  # transformers has the class; code that came with it is not needed
    more = [text for pair in pairs for text in pair]
    tokenizer_json, kept = _tokenizer(location, [*passages, *more], prune_vocabulary)
    _cut(model, kept, layers)
    folder.mkdir(parents=True)
    prefix, query_prefix = _prefixes(location)
    tokenizer = _save_tokenizer(folder, location, with_prefix(tokenizer_json, prefix), max_length)
    adapted = {}
    if adaptation is not None and adaptation.steps:
        adapted = adapt(model, kept, tokenizer, passages, pairs, adaptation)
    model.eval()
    sample = list(passages[:: max(1, len(passages) // _SAMPLE)])[:_SAMPLE]
    body = body_fingerprint(model, tokenizer)
    with moved(model, best_device()):
        states = encoder_states(model, tokenizer, sample, cache=cache, body=body, max_length=max_length)
    plain = Tokenizer.from_str(json.dumps(tokenizer_json))
    if units == "pieces":
        rows = piece_rows(dense_rows(model, _pieces_alone(plain, query_prefix), tokenizer.pad_token_id), states)
        probe = calibrate(model, rows, states, active_quantile)
        terms, active = len(rows), probe.active * len(rows)
    else:
        names, length = collection_morphemes(passages, max_units)
        if not names:
            raise InputError(
                "the passages hold no word that can be searched for", where="passages", fix="Check the corpus."
            )
        saturation = Saturation(Morphemes(names), length)
        terms = len(names)
        active, probe = _morpheme_head(folder, model, plain, query_prefix, saturation, sample, states, cache)
        # Nothing asks for pieces; an output of the new vocabulary's size keeps the folder loadable.
        set_output(model, find_head(model), model.get_input_embeddings().weight, torch.zeros(len(kept)))
    model.save_pretrained(folder)
    numbers = {
        "terms": float(terms),
        "parameters": float(sum(parameter.numel() for parameter in model.parameters())),
        "active_terms": active,
        "probe_active": probe.active_before,
        "probe_alike": probe.alike_before,
        **adapted,
    }
    described = {"source": Path(location).name, "units": units, "max_length": max_length}
    write_json(folder / "backbone.json", {**described, **numbers})
    note(probe.line())
    note(f"backbone: {terms:,} {units}, {active:.0f} of them active per passage before training")
    return numbers


def load_backbone(folder: Path) -> tuple[Any, Any, int]:
    """The masked language model, its tokenizer and its longest input.

    Raises:
        InputError: The folder holds no backbone.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    try:
        model = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
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
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    kept = {name: value for name, value in content.items() if name not in ("truncation", "padding")}  # set by calls
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode())
    for name, tensor in sorted(model.base_model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]


def dense_vectors(folder: Path, texts: Sequence[str], cache: Path) -> Vectors | None:
    """Unit mean of each text's encoder states, shape [len(texts), hidden]; None when the cache lacks some."""
    network, tokenizer, max_length = load_backbone(folder)
    states = cached_states(texts, cache=cache, body=body_fingerprint(network, tokenizer), max_length=max_length)
    if states is None:
        return None
    means = torch.stack([states.of(text).mean(0) for text in range(len(states))])
    return nn.functional.normalize(means).numpy()


def _tokenizer(location: str | Path, texts: Sequence[str], pruned: bool) -> tuple[dict[str, Any], list[int]]:
    """Content of the new ``tokenizer.json``, and the old id of each new one."""
    from transformers import AutoTokenizer

    fast = AutoTokenizer.from_pretrained(str(location), use_fast=True)
    content = json.loads(fast.backend_tokenizer.to_str())
    if pruned and not prunable(content):
        note(f"the vocabulary of {Path(location).name} is kept whole: its pieces are made of each other (BPE)")
    if not pruned or not prunable(content):
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


def _pieces_alone(tokenizer: Tokenizer, prefix: str) -> list[list[int]]:
    """Token ids of each piece by itself, as the encoder expects a query."""
    before = tokenizer.encode(prefix.strip(), add_special_tokens=False).ids if prefix else []
    frame = tokenizer.encode("").ids
    return [[*frame[:1], *before, piece, *frame[1:]] for piece in range(tokenizer.get_vocab_size())]


def _morpheme_head(
    folder: Path,
    model: Any,
    tokenizer: Tokenizer,
    prefix: str,
    saturation: Saturation,
    sample: Sequence[str],
    states: EncoderStates,
    cache: Path,
) -> tuple[float, Probe]:
    """Write the morphemes of the collection and their head; how many are active in a passage."""
    names = saturation.units.names
    alone = [line.ids for line in tokenizer.encode_batch([f"{prefix}{name}" for name in names])]
    pad = tokenizer.token_to_id("<pad>") or tokenizer.token_to_id("[PAD]") or 0
    head, logits, probe = calibrated_head(dense_rows(model, alone, pad), states, cache)
    own = saturation.of(sample)
    save_head(folder, head, saturation)
    active = float((with_prior(logits, own, head.threshold, head.activation) > 0).float().sum(1).mean())
    return active, probe
