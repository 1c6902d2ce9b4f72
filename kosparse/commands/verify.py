"""``kosparse verify``: does a registered version, by itself, measure what was reported of it."""

from __future__ import annotations

from pathlib import Path

from kosparse.adapters.registered_encoder import python_with, registered_encoder
from kosparse.adapters.registry_mlflow import MlflowRegistry
from kosparse.adapters.review_mlflow import MlflowReview, RegisteredVersion
from kosparse.commands.review import measured, open_registry
from kosparse.corpus.summary import collection_hash
from kosparse.errors import InputError
from kosparse.evaluation.metrics import PRIMARY
from kosparse.evaluation.reproduction import Reproduction, reproduce
from kosparse.jsonl import read_records
from kosparse.records import Document, Passage
from kosparse.settings import settings

_CORPUS_TAG = "kosparse.corpus_sha256"


def verify(name: str, chosen: str, run: Path | None, python: Path | None, tolerance: float) -> None:
    """Load a version as its users do, measure it again, print both values.

    Args:
        name: Of the registered model.
        chosen: Number of the version, or an alias.
        run: Folder of the run whose passages were measured on; None for the version's own below ``.kosparse/runs``.
        python: Interpreter to load it in; None makes an environment from the version's own requirements.
        tolerance: Difference of the primary metric that is allowed, either way.

    Raises:
        InputError: There is no such version, these are not its passages, the model cannot be loaded, or it measures
            something else than was reported.
        ServiceError: The registry does not answer, or the environment cannot be made.
    """
    registry = open_registry(name)
    version = _version(registry, chosen)
    expected = measured(registry, version)
    passages = _passages(version, run)
    model_uri, uri = f"models:/{name}/{version.number}", settings().mlflow_uri
    if python is None:
        requirements = MlflowRegistry(uri).requirements(model_uri)
        print(
            f"an environment of version {version.number}'s own requirements (pip; minutes, the first time)", flush=True
        )
        python = python_with(requirements, settings().cache / "environments")
    with registered_encoder(model_uri, uri, python) as encoder:
        found = reproduce(expected, passages, encoder.encode)
    _print(name, version.number, found)
    if abs(found.difference) > tolerance:
        raise InputError(
            f"{PRIMARY} is {found.means[PRIMARY][1]:.4f}, {found.means[PRIMARY][0]:.4f} was reported: "
            f"more than {tolerance:g} apart",
            where=f"{name} version {version.number}",
            fix="Do not promote it. Register the run again (`kosparse register --run ...`), or train anew.",
        )


def _version(registry: MlflowReview, chosen: str) -> RegisteredVersion:
    version = registry.version(chosen) if chosen.isdigit() else registry.of_alias(chosen)
    if version is None:
        raise InputError(
            f"no version of {registry.name} is called {chosen}", where=registry.name, fix="Name a number or an alias."
        )
    return version


def _passages(version: RegisteredVersion, run: Path | None) -> list[Passage]:
    """What the version was measured on, as far as can be told by the documents."""
    folder = run or Path(".kosparse/runs") / version.tags.get("kosparse.run_id", "latest")
    registered = version.tags.get(_CORPUS_TAG, "")
    if registered and collection_hash(read_records(folder / "documents.jsonl", Document)) != registered:
        raise InputError(
            f"version {version.number} was measured on other documents",
            where=str(folder),
            fix=f"Name the run it was registered from with --run: {version.tags.get('kosparse.run_id', 'unknown')}.",
        )
    return list(read_records(folder / "passages.jsonl", Passage))


def _print(name: str, number: str, found: Reproduction) -> None:
    print(f"version {number} of {name}, loaded with its own code: {found.queries:,} queries")
    for metric, (registered, reproduced) in found.means.items():
        print(f"  {metric:12} {registered:.4f} reported, {reproduced:.4f} measured  {reproduced - registered:+.4f}")
    print(f"  {found.changed:,} queries have another {PRIMARY}")
