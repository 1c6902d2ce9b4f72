"""The registry of an MLflow server as a reviewer uses it: versions, aliases, artifacts, one promotion at a time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from kosparse.adapters.mlflow_rest import MlflowRest, Refused, unreachable
from kosparse.adapters.promotion_lock import promotion_lock
from kosparse.errors import InputError

CHAMPION, CHALLENGER = "champion", "challenger"
MEASURED = ("results.json", "per_query.jsonl")
"""Files of ``evaluate`` that every registered version brings along, under ``report/``."""


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

    def lock(self) -> AbstractContextManager[None]:
        """Be the only one who moves aliases of this model; errors as for ``promotion_lock``."""
        return promotion_lock(self.name, self._server)

    def _post(self, path: str, **body: Any) -> None:
        try:
            self._server.post(path, **body)
        except Refused as error:
            raise unreachable(self._server.uri, error) from error
