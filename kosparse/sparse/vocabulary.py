"""Vocabulary pruning: keep the word pieces a collection uses, and every single character it might need.

Pruning looks at the collection's own text only, never at queries. Text of the collection is cut
exactly as before, because every piece of its best cut is kept together with its score.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kosparse.errors import InputError

_WORD_START = "▁"
_BATCH = 512


def used_pieces(tokenizer_file: Path, texts: Iterable[str]) -> set[int]:
    """Ids of the pieces that occur when the texts are tokenized (special tokens left out)."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    used: set[int] = set()
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == _BATCH:
            used |= _ids(tokenizer, batch)
            batch = []
    return used | _ids(tokenizer, batch)


def _ids(tokenizer: Any, batch: Sequence[str]) -> set[int]:
    return {piece for encoding in tokenizer.encode_batch(batch, add_special_tokens=False) for piece in encoding.ids}


def prune(tokenizer_json: dict[str, Any], used: set[int]) -> tuple[dict[str, Any], list[int]]:
    """Rebuild a tokenizer around the pieces in use.

    Kept: ``used``, special tokens, and every piece of one Hangul or ASCII character (with and without the
    word-start or continuation mark), so that an unseen query word is spelled out instead of lost.

    Args:
        tokenizer_json: The content of a ``tokenizer.json`` with a Unigram or WordPiece model.
        used: Ids of pieces to keep.

    Returns:
        The new content, and the old id of each new id: shape [new vocabulary].

    Raises:
        InputError: The tokenizer is of a kind whose pieces depend on each other (BPE).
    """
    if not prunable(tokenizer_json):
        raise InputError(
            f"a {tokenizer_json['model'].get('type')} vocabulary cannot be pruned piece by piece",
            where="tokenizer.json",
            fix="Set prune_vocabulary to false for this backbone.",
        )
    tokens = vocabulary(tokenizer_json)
    special = {token["content"] for token in tokenizer_json.get("added_tokens", [])}
    kept = [old for old, token in enumerate(tokens) if old in used or token in special or _spells(token)]
    return _rebuilt(tokenizer_json, tokens, kept), kept


def prunable(tokenizer_json: dict[str, Any]) -> bool:
    """Whether pieces can be left out one by one: those of BPE are made of each other."""
    return tokenizer_json["model"].get("type") in ("Unigram", "WordPiece")


def vocabulary(tokenizer_json: dict[str, Any]) -> list[str]:
    """Token of each id; added tokens beyond the model's own vocabulary come last."""
    model = tokenizer_json["model"]
    if model.get("type") == "Unigram":
        tokens = [token for token, _ in model["vocab"]]
    else:
        tokens = [token for token, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]
    extra = sorted((token["id"], token["content"]) for token in tokenizer_json.get("added_tokens", []))
    return tokens + [content for position, content in extra if position >= len(tokens)]


def readable(token: str) -> str:
    """A piece as a person would write it, without its word-start or continuation mark."""
    return token.removeprefix(_WORD_START).removeprefix("##")


def _spells(token: str) -> bool:
    """True for a piece of one Hangul or ASCII character."""
    character = readable(token)
    return len(character) == 1 and (character.isascii() or "가" <= character <= "힣")


def _rebuilt(tokenizer_json: dict[str, Any], tokens: list[str], kept: list[int]) -> dict[str, Any]:
    content = copy.deepcopy(tokenizer_json)
    model, new_id = content["model"], {old: new for new, old in enumerate(kept)}
    if model["type"] == "Unigram":
        scores = model["vocab"]
        model["vocab"] = [list(scores[old]) if old < len(scores) else [tokens[old], 0.0] for old in kept]
        if model.get("unk_id") is not None:
            model["unk_id"] = new_id[model["unk_id"]]
    else:
        model["vocab"] = {tokens[old]: new for new, old in enumerate(kept)}
    for token in content.get("added_tokens", []):
        token["id"] = new_id[token["id"]]
    _renumber(content.get("post_processor"), {tokens[old]: new for new, old in enumerate(kept)})
    return content


def _renumber(post_processor: dict[str, Any] | None, ids: dict[str, int]) -> None:
    """Point the template around a text ([CLS] ... [SEP]) at the new ids, in place."""
    if not post_processor:
        return
    for part in post_processor.get("processors", []):
        _renumber(part, ids)
    for name, token in (post_processor.get("special_tokens") or {}).items():
        token["ids"] = [ids[piece] for piece in token.get("tokens", [name])]
    for key in ("sep", "cls"):
        if isinstance(post_processor.get(key), list):
            post_processor[key] = [post_processor[key][0], ids[post_processor[key][0]]]


def with_prefix(tokenizer_json: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Make the tokenizer itself put ``prefix`` before every document.

    Encoders such as E5 expect ``passage: `` before a document. Written into the tokenizer's template it
    holds wherever the model runs (sentence-transformers, OpenSearch), and query tokenizing, which adds
    no special tokens, is unaffected. Only template post-processors are changed; others are returned as is.
    """
    from tokenizers import Tokenizer

    content = copy.deepcopy(tokenizer_json)
    template = content.get("post_processor") or {}
    if not prefix or template.get("type") != "TemplateProcessing":
        return content
    pieces = Tokenizer.from_str(json.dumps(tokenizer_json)).encode(prefix.strip(), add_special_tokens=False)
    for key in ("single", "pair"):
        position = next(i for i, part in enumerate(template[key]) if "Sequence" in part)
        template[key][position:position] = [{"SpecialToken": {"id": token, "type_id": 0}} for token in pieces.tokens]
    for token, number in zip(pieces.tokens, pieces.ids, strict=True):
        template["special_tokens"][token] = {"id": token, "ids": [number], "tokens": [token]}
    return content
