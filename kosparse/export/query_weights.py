"""The query side of an inference-free encoder: one weight per unit, read from the trained folder."""

from __future__ import annotations

from pathlib import Path

from kosparse.corpus.units import load_units
from kosparse.errors import InputError
from kosparse.jsonl import read_json

_MORPHEMES = "query_0_MorphemeQuery"


def has_morphemes(model: Path) -> bool:
    """True when the model's units are morphemes, which a client cuts, and not pieces a cluster can cut."""
    return (model / _MORPHEMES).is_dir()


def dimensions(model: Path) -> list[str]:
    """Name of each dimension of a sentence-transformers SparseEncoder folder, by its number.

    Raises:
        InputError: The folder has no tokenizer that can be read.
    """
    queries = sorted(path for path in model.glob("query_0_*") if path.is_dir())
    return list(load_units(queries[0] if queries else model).names)


def query_weights(model: Path) -> dict[str, float] | None:
    """Weight of each unit with a positive one, as trained; None when queries need the encoder itself.

    Args:
        model: A sentence-transformers folder with a ``SparseStaticEmbedding`` or a ``MorphemeQuery`` for queries.

    Raises:
        InputError: Weights and tokenizer do not belong together.
    """
    if has_morphemes(model):
        return _morpheme_weights(model / _MORPHEMES)
    folders = sorted(path for path in model.glob("query_*SparseStaticEmbedding") if path.is_dir())
    if not folders:
        return None
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    weights = load_file(folders[0] / "model.safetensors")["weight"]
    tokenizer = Tokenizer.from_file(str(folders[0] / "tokenizer.json"))
    if tokenizer.get_vocab_size() > len(weights):
        raise InputError(
            f"the tokenizer knows {tokenizer.get_vocab_size():,} tokens, the model weighs {len(weights):,}",
            where=str(folders[0]),
            fix="Train again; the folder mixes two models.",
        )
    special = set(_special_tokens(folders[0]))
    by_token = {tokenizer.id_to_token(token_id): float(weights[token_id]) for token_id in range(len(weights))}
    return {token: weight for token, weight in by_token.items() if token and weight > 0 and token not in special}


def _morpheme_weights(folder: Path) -> dict[str, float]:
    from safetensors.numpy import load_file

    names, weights = read_json(folder / "units.json"), load_file(folder / "model.safetensors")["weight"]
    if len(names) != len(weights):
        raise InputError(
            f"there are {len(names):,} morphemes, the model weighs {len(weights):,}",
            where=str(folder),
            fix="Train again; the folder mixes two models.",
        )
    return {name: float(weight) for name, weight in zip(names, weights, strict=True) if weight > 0}


def _special_tokens(folder: Path) -> list[str]:
    """Contents of the added tokens marked special: they carry no meaning in a query."""
    content = read_json(folder / "tokenizer.json")
    return [token["content"] for token in content.get("added_tokens", []) if token.get("special")]
