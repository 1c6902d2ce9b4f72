"""What OpenSearch's ml-commons plugin runs inside the cluster: zips and the JSON they are registered with.

``sparse_encoder.zip`` weighs documents (TorchScript, function ``SPARSE_ENCODING``), ``query_tokenizer.zip``
weighs queries (tokenizer and ``idf.json``, function ``SPARSE_TOKENIZE``). ml-commons names a term by decoding
its id alone. A decoder may give two ids one name (``▁셀`` and ``셀``), so both zips carry the tokenizer without one:
a term's name is the token itself, as in ``idf.json`` and in sentence-transformers.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kosparse.export.hashing import document_side_hash, file_hash
from kosparse.jsonl import read_json, write_json

ENCODER, TOKENIZER = "sparse_encoder", "query_tokenizer"
WEIGHTLESS = 1e-6
"""Of tokens without a weight: one that is not in ``idf.json`` weighs 1 there, and 0 is no weight a query may have."""
_LONGEST = 512
_MOMENT = (2000, 1, 1, 0, 0, 0)
"""Of every file in a zip, so that equal models give equal zips."""


def write_ml_commons(folder: Path, model: Path, query_weights: Mapping[str, float] | None, *, name: str) -> None:
    """Write the zips of a model over word pieces and their configurations.

    Args:
        folder: Where to write.
        model: A sentence-transformers SparseEncoder folder.
        query_weights: By token; None when queries need the encoder, which then serves both.
        name: Of the models in the cluster. Their versions are hashes of what they weigh by: new query weights make a
            new version of the tokenizer, and the encoder stays the one that is registered.

    Raises:
        InputError: The model's document side is no transformer with max pooling.
        ResourceError: The folder cannot be written.
    """
    from kosparse.sparse.torchscript import write_torchscript

    tokenizer = plain_tokenizer(model)
    with tempfile.TemporaryDirectory() as scratch:
        script, pieces, idf = (Path(scratch) / each for each in (f"{name}.pt", "tokenizer.json", "idf.json"))
        write_torchscript(model, script)
        write_json(pieces, tokenizer)
        encoder = document_side_hash(model)
        _write_zip(folder, ENCODER, [script, pieces], f"{name}-document", encoder, "SPARSE_ENCODING")
        if query_weights is not None:
            write_json(idf, {token: query_weights.get(token, WEIGHTLESS) for token in _tokens(tokenizer)})
            _write_zip(folder, TOKENIZER, [pieces, idf], f"{name}-query", file_hash(idf), "SPARSE_TOKENIZE")


def plain_tokenizer(model: Path) -> dict[str, Any]:
    """The model's ``tokenizer.json``: no decoder, no padding, cut at the length the encoder takes."""
    file = next(path for path in sorted(model.rglob("tokenizer.json")) if "query_" not in path.parent.name)
    content: dict[str, Any] = read_json(file)
    settings = file.with_name("tokenizer_config.json")
    longest = read_json(settings).get("model_max_length", _LONGEST) if settings.exists() else _LONGEST
    cut = {"direction": "Right", "max_length": min(int(longest), _LONGEST), "strategy": "LongestFirst", "stride": 0}
    return {**content, "decoder": None, "padding": None, "truncation": cut}


def _tokens(tokenizer: dict[str, Any]) -> list[str]:
    """Names of all tokens that are not special, by id."""
    from tokenizers import Tokenizer

    special = {token["content"] for token in tokenizer.get("added_tokens", []) if token.get("special")}
    ids = Tokenizer.from_str(json.dumps(tokenizer)).get_vocab()
    return [token for token in sorted(ids, key=lambda each: ids[each]) if token not in special]


def _write_zip(folder: Path, stem: str, files: list[Path], name: str, version: str, function: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{stem}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name, _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as into:
                into.write(file.read_bytes())
    write_json(
        folder / f"{stem}.json",
        {
            "name": name,
            "version": version[:12],
            "description": "Korean neural sparse retrieval, by kosparse.",
            "model_format": "TORCH_SCRIPT",
            "function_name": function,
            "model_content_size_in_bytes": target.stat().st_size,
            "model_content_hash_value": file_hash(target),
        },
    )
