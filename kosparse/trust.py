"""What is taken from a model that others may have written: classes known by name, and weights that are no pickle.

A class that a folder names is imported, and a pickle may call anything: both run code when the model is loaded.
"""

from __future__ import annotations

from pathlib import Path

from kosparse.errors import InputError
from kosparse.jsonl import read_json

_OURS = "kosparse.sparse."
_KNOWN = ("sentence_transformers.", _OURS)


def needs_trust(folder: Path) -> bool:
    """Whether sentence-transformers must be told to import classes of ours (``trust_remote_code``).

    Args:
        folder: With ``modules.json``; the classes it and routers below it name are looked at.

    Raises:
        InputError: It names a class of somebody else's, or code that comes with it: neither is run.
    """
    named = [module["type"] for module in read_json(folder / "modules.json")]
    for router in folder.rglob("router_config.json"):
        named += read_json(router)["types"].values()
    ours = any(name.startswith(_OURS) for name in named)
    strangers = [name for name in named if not name.startswith(_KNOWN)]
    if ours:  # transformers would be told to trust, too
        brought = (config.parent for config in folder.rglob("config.json") if "auto_map" in read_json(config))
        strangers += [f"auto_map of {place.name}" for place in brought]
    if strangers:
        raise InputError(
            f"the model names code that is neither sentence-transformers' nor ours: {', '.join(strangers)}",
            where=str(folder),
            fix="Take a model that train_sparse wrote; nobody else's code is run.",
        )
    return ours


def why_not_loaded(error: Exception, fix: str) -> tuple[str, str]:
    """What is wrong with a model that ``from_pretrained(..., use_safetensors=True)`` refused, and what to do.

    Args:
        error: What was raised.
        fix: What to do where the weights are not the reason.
    """
    if "safetensors" in str(error):
        return (
            "there are no weights as safetensors, and pickled ones are not read",
            "Name a model that has model.safetensors, or convert one you trust: from_pretrained(name) and "
            "save_pretrained(folder), of the model and of its tokenizer.",
        )
    return str(error).strip().splitlines()[0], fix
