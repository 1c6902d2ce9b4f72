"""The registry of an MLflow server as a reviewer uses it: versions, aliases, artifacts, one promotion at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kosparse.adapters.mlflow_rest import MlflowRest, Refused, unreachable
from kosparse.errors import InputError, ServiceError

CHAMPION, CHALLENGER = "champion", "challenger"
MEASURED = ("results.json", "per_query.jsonl")
"""Files of ``evaluate`` that every registered version brings along, under ``report/``."""

_LOCK_MINUTES = 15
_LOCK_SAYS = "A promotion is going on."
"""The description by which a lock is told from a model somebody registered under its name."""


@dataclass(frozen=True)
class RegisteredVersion:
    """One version of a registered model."""

    number: str
    run_id: str
    """The MLflow run that holds its report."""
    tags: Mapping[str, str]


class MlflowReview:
    """Reads and moves aliases of one registered model.

    Args:
        uri: The tracking server.
        name: The registered model.

    Raises:
        ServiceError: The server cannot be reached or refuses us; from every method.
    """

    def __init__(self, uri: str, name: str) -> None:
        self.name, self._server = name, MlflowRest(uri)

    def version(self, number: str) -> RegisteredVersion:
        """A version by number.

        Raises:
            InputError: There is no such version.
        """
        try:
            found = self._server.get("model-versions/get", name=self.name, version=number)["model_version"]
        except Refused as error:
            raise InputError(
                f"there is no version {number} of {self.name}: {error}",
                where=self._server.uri,
                fix="Name one that MLflow shows on the page of this model.",
            ) from error
        tags = {tag["key"]: tag.get("value", "") for tag in found.get("tags", [])}
        return RegisteredVersion(str(found["version"]), str(found.get("run_id", "")), tags)

    def of_alias(self, alias: str) -> RegisteredVersion | None:
        """The version an alias points at, or None.

        Raises:
            InputError: There is no such registered model.
        """
        try:
            model = self._server.get("registered-models/get", name=self.name)["registered_model"]
        except Refused as error:
            why = "" if "RESOURCE_DOES_NOT_EXIST" in str(error) else f": {error}"
            raise InputError(
                f"nothing is registered as {self.name}{why}", where=self._server.uri, fix="Run the pipeline first."
            ) from error
        numbers = {row["alias"]: str(row["version"]) for row in model.get("aliases", [])}
        return self.version(numbers[alias]) if alias in numbers else None

    def artifact(self, version: RegisteredVersion, path: str) -> bytes:
        """A file logged with a version's run.

        Raises:
            InputError: The run has no such file.
        """
        content = self._server.download(version.run_id, path)
        if content is None:
            raise InputError(
                f"version {version.number} of {self.name} brings no {path}",
                where=self._server.uri,
                fix="It was registered by an older kosparse: register it again (`kosparse register --run ...`).",
            )
        return content

    def measured(self, version: RegisteredVersion) -> dict[str, bytes]:
        """What ``evaluate`` said of a version, by the names of ``MEASURED``; errors as for ``artifact``."""
        return {name: self.artifact(version, f"report/{name}") for name in MEASURED}

    def set_alias(self, alias: str, number: str) -> None:
        """Point an alias at a version."""
        self._post("registered-models/alias", name=self.name, alias=alias, version=number)

    def tag(self, number: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        for key, value in tags.items():
            self._post("model-versions/set-tag", name=self.name, version=number, key=key, value=value)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one who moves aliases of this model.

        A registered model of a reserved name is the lock: a registry creates a name once.

        Raises:
            ServiceError: Somebody else holds it; one left over from a crash gives way after 15 minutes.
            InputError: The lock's name belongs to a registered model.
        """
        name = f"{self.name}.promotion-lock"
        self._take(name)
        try:
            yield
        finally:
            self._server.delete("registered-models/delete", name=name)

    def _take(self, name: str) -> None:
        for _ in range(2):
            try:
                self._server.post("registered-models/create", name=name, description=_LOCK_SAYS)
                return
            except Refused as error:
                if error.code != "RESOURCE_ALREADY_EXISTS":
                    raise unreachable(self._server.uri, error) from error
            if self._age_minutes(name) < _LOCK_MINUTES:
                break
            self._server.delete("registered-models/delete", name=name)
        raise ServiceError(
            f"another promotion of {self.name} is going on",
            where=self._server.uri,
            fix=f"Wait for it. A lock left over from a crash gives way after {_LOCK_MINUTES} minutes.",
        )

    def _age_minutes(self, name: str) -> float:
        try:
            found = self._server.get("registered-models/get", name=name)["registered_model"]
        except Refused:
            return float("inf")  # gone in the meantime
        if found.get("description") != _LOCK_SAYS or found.get("latest_versions"):
            raise InputError(
                f"the name {name}, which a promotion locks by, is taken by a registered model",
                where=self._server.uri,
                fix="Rename that model in MLflow, then promote again.",
            )
        return (time.time() - float(found["creation_timestamp"]) / 1000) / 60

    def _post(self, path: str, **body: Any) -> None:
        try:
            self._server.post(path, **body)
        except Refused as error:
            raise unreachable(self._server.uri, error) from error
