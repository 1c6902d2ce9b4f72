"""A trained model as the backbone of the next training, which goes on from what was learnt.

The units, the tokenizer, the encoder, the head and the query weights are the model's, file by file: with no training
step the result is the model it started from. Nothing is made anew for the collection of today, so a word that the
model has no dimension for stays without one.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from safetensors.torch import load_file
from torch import Tensor

from kosparse.corpus.locations import Location
from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.corpus.units import Morphemes, Units, load_units
from kosparse.errors import ConfigError, InputError
from kosparse.jsonl import read_json, write_json
from kosparse.progress import note
from kosparse.sparse.activation import ActivationName, saved_activation
from kosparse.sparse.backbone import load_backbone
from kosparse.sparse.morpheme_head import load_head

_SIDES = {
    "morphemes": ("document_0_MorphemeDocument", "query_0_MorphemeQuery"),
    "pieces": ("document_0_MLMTransformer", "query_0_SparseStaticEmbedding"),
}
"""Units -> folders of the document and of the query side in a model of ``train_sparse``."""
_SYMMETRIC = "1_SpladePooling"
_SHELL = (_SYMMETRIC, "modules.json", "config_sentence_transformers.json", "README.md")
"""What lies beside the encoder in a model whose queries go through it too."""
_ENCODER = "encoder"
_QUERY = "query.safetensors"


def trained_backbone(
    model: Location, passages: Sequence[str], folder: Path, *, units: Literal["morphemes", "pieces"]
) -> dict[str, float]:
    """Write a backbone folder that is a trained model; return what became of it.

    Args:
        model: A folder that ``train_sparse`` wrote.
        passages: The collection that training will go on with.
        folder: Where to write; must not exist.
        units: What the model's dimensions must be.

    Returns:
        ``terms``, ``parameters``, and ``unknown``, the share of the collection's units that the model does not know.

    Raises:
        InputError: The folder is no such model, or its parts do not belong together.
        ConfigError: Its dimensions are of the other kind.
    """
    found = _units_of(model)
    if found != units:
        raise ConfigError(
            f"the model to start from is over {found}, {units} are asked for",
            where="prepare_backbone.units",
            fix=f"Set prepare_backbone.units={found}, or start from another model.",
        )
    document, query = _sides(model, found)
    shutil.copytree(document, folder, ignore=shutil.ignore_patterns(*_SHELL))
    if (folder / _ENCODER).is_dir():
        shutil.copytree(folder / _ENCODER, folder, dirs_exist_ok=True)
        shutil.rmtree(folder / _ENCODER)
    if query is not None:
        shutil.copyfile(query / "model.safetensors", folder / _QUERY)
    longest = int(read_json(folder / "tokenizer_config.json")["model_max_length"])
    activation = saved_activation(model.path).name
    described = {"source": model.name, "units": units, "max_length": longest, "activation": activation}
    write_json(folder / "backbone.json", described)
    numbers = {**_checked(folder), "unknown": _unknown(load_units(folder), passages)}
    write_json(folder / "backbone.json", {**described, **numbers})
    note(f"backbone: {numbers['terms']:,.0f} {units} of a trained model, with its weights")
    note(f"{numbers['unknown']:.1%} of the collection's {units} are no dimensions of it")
    return numbers


def learnt_query_weights(backbone: Path) -> Tensor | None:
    """The query weights of the model that a backbone was taken from, shape [units]; None where there are none: a fresh
    backbone, or a model whose queries go through its encoder."""
    path = backbone / _QUERY
    return load_file(path)["weight"] if path.is_file() else None


def check_activation(backbone: Path, asked: ActivationName) -> None:
    """Weights that were learnt with one activation mean something else with another.

    Raises:
        ConfigError: The backbone was taken from a model that was trained with another one than is asked for.
    """
    described = read_json(backbone / "backbone.json")
    learnt = described.get("activation", "log1p_relu")
    if ("activation" in described or learnt_query_weights(backbone) is not None) and learnt != asked:
        raise ConfigError(
            f"the model to start from was trained with the activation {learnt}, {asked} is asked for",
            where="train_sparse.activation",
            fix=f"Set train_sparse.activation={learnt}, or start from another model.",
        )


def _units_of(model: Location) -> str:
    for units, sides in _SIDES.items():
        if all((model.path / side).is_dir() for side in sides):
            return units
    if (model.path / _SYMMETRIC).is_dir():
        return "pieces"
    raise InputError(
        "this is no model that training can go on from",
        where=model.name,
        fix="Give the folder that train_sparse wrote, a bundle's sparse_encoder/, or a version that was registered.",
    )


def _sides(model: Location, units: str) -> tuple[Path, Path | None]:
    """Folders of the document and of the query side; None where queries go through the document side."""
    document, query = (model.path / side for side in _SIDES[units])
    return (document, query) if document.is_dir() else (model.path, None)


def _checked(folder: Path) -> dict[str, float]:
    """``terms`` and ``parameters`` of a backbone whose parts belong together."""
    network, tokenizer, _ = load_backbone(folder)
    terms = len(load_head(folder)[1].units.names) if _is_morphemes(folder) else len(tokenizer)
    weights = learnt_query_weights(folder)
    if weights is not None and len(weights) != terms:
        raise InputError(
            f"the documents have {terms:,} dimensions, the queries {len(weights):,}",
            where=str(folder),
            fix="The folder mixes two models: give the one that train_sparse wrote.",
        )
    return {"terms": float(terms), "parameters": float(sum(each.numel() for each in network.parameters()))}


def _is_morphemes(folder: Path) -> bool:
    return isinstance(load_units(folder), Morphemes)


def _unknown(units: Units, texts: Sequence[str]) -> float:
    """Share of the texts' units, repeats counted, that are no dimension or stand for no text."""
    known = set(units.names) - units.special
    if isinstance(units, Morphemes):
        found = [name for names in content_morphemes_of(list(texts)) for name in names]
    else:
        found = [units.names[place] for places in units.of(texts) for place in places]
    return sum(name not in known for name in found) / max(len(found), 1)
