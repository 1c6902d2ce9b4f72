"""The model registry of an MLflow server: here, and only here, MLflow's library is imported."""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kosparse.adapters.mlflow_rest import shown, unreachable
from kosparse.adapters.package_source import copy_source
from kosparse.adapters.tracking_mlflow import RUN_TAG, MlflowTracker, metric_name, quoted
from kosparse.errors import InputError
from kosparse.ports import DatasetLink, ModelVersion

MODEL_TAG = "kosparse.model_sha256"

_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_NEEDED = ("kosparse.sparse.morpheme_modules", "kosparse.trust")
"""The classes that a model over morphemes is loaded with, and the rule that lets them in."""
_ARTIFACT = "sparse_encoder"
"""The model's folder among what is logged; ``pyfunc_model`` asks for it by this name."""
_PYFUNC = Path(__file__).parent / "pyfunc_model.py"
_REQUIREMENTS = ("mlflow", "sentence-transformers", "transformers", "torch", "safetensors", "numpy", "pandas", "scipy")
_PACKAGE_REQUIREMENTS = ("kiwipiepy", "pydantic", "tokenizers")
_LONGEST_DIGEST = 36
"""Characters MLflow keeps of a dataset's digest."""
_PICKLES = (".bin", ".pkl", ".pickle", ".pt", ".pth", ".joblib")


class MlflowRegistry:
    """The Registry port over MLflow.

    The library is asked with few retries, so that a dead server costs seconds, not the run.

    Raises:
        ServiceError: The server cannot be reached or refuses us; from every method.
    """

    def __init__(self, uri: str) -> None:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self.uri, self._tracker = uri, MlflowTracker(uri)
        import mlflow

        self._client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)

    def register(
        self,
        run_id: str,
        name: str,
        model_folder: Path,
        *,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        artifacts: Sequence[Path],
        alias: str,
        datasets: Sequence[DatasetLink] = (),
        description: str = "",
    ) -> ModelVersion:
        """Log the model folder as a pyfunc, register a version and point ``alias`` at it.

        The same model of the same run (tags ``kosparse.run_id`` and ``kosparse.model_sha256``) is
        registered once: asked again, its version is returned and the alias set again. The datasets are inputs
        of the run, and the metrics are said to be measured on the one for evaluation.

        Raises:
            InputError: The folder holds pickled weights, or the name belongs to models of another kind.
        """
        refuse_pickles(model_folder)
        parent = self._tracker.start_run(run_id, run_id, {})
        with self._told():
            tags = {**tags, RUN_TAG: run_id}
            number = self._registered(name, tags)
            if number is None:
                for path in artifacts:
                    self._client.log_artifact(parent, str(path), "report")
                self._link(parent, datasets)
                model_uri, model_id = self._log_model(parent, model_folder)
                measured_on = next((each for each in datasets if each.role == "evaluation"), None)
                self._log_metrics(parent, metrics, model_id, measured_on)
                number = self._new_version(name, model_uri, parent, tags, description)
            self._client.set_registered_model_alias(name, alias, number)
            return ModelVersion(name, number, alias, f"{self.uri.rstrip('/')}/#/models/{name}/versions/{number}")

    def fetch(self, model_uri: str, folder: Path) -> Path:
        """Download the SparseEncoder folder of a registered version, such as ``models:/kosparse@champion``.

        Returns:
            Where it is, below ``folder``.

        Raises:
            InputError: There is no such version, or it is no model of ``register``.
        """
        import mlflow

        with self._told(), _known(model_uri):
            mlflow.set_registry_uri(self.uri)
            found = mlflow.artifacts.download_artifacts(model_uri, dst_path=str(folder), tracking_uri=self.uri)
            flavor = mlflow.models.Model.load(found).flavors.get("python_function", {})
        path = flavor.get("artifacts", {}).get(_ARTIFACT, {}).get("path", "")
        if not path:
            raise InputError(
                "this registered model holds no sparse encoder",
                where=model_uri,
                fix="Name a version that register_model registered.",
            )
        return Path(found) / path

    def requirements(self, model_uri: str) -> str:
        """What a registered version must have installed to be loaded, as lines for pip.

        Raises:
            InputError: There is no such version.
        """
        import mlflow

        with self._told(), _known(model_uri):
            mlflow.set_tracking_uri(self.uri)
            mlflow.set_registry_uri(self.uri)
            return Path(mlflow.pyfunc.get_model_dependencies(model_uri)).read_text(encoding="utf-8")

    def _link(self, parent: str, datasets: Sequence[DatasetLink]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        found = []
        for each in datasets:
            # The server keeps one dataset for all runs with its name and digest: nothing of this run belongs into it.
            source = json.dumps({"tags": {"kosparse.sha256": each.sha256}})
            dataset = Dataset(each.name, _digest(each), "code", source, profile=json.dumps(dict(each.counts)))
            found.append(DatasetInput(dataset, [InputTag("mlflow.data.context", each.role)]))
        if found:
            self._client.log_inputs(parent, found)

    def _log_model(self, parent: str, folder: Path) -> tuple[str, str | None]:
        """Address and id of the pyfunc logged with the run."""
        import mlflow
        import pandas as pd

        ours = needs_kosparse(folder)
        mlflow.set_tracking_uri(self.uri)
        with tempfile.TemporaryDirectory() as code, mlflow.start_run(run_id=parent, log_system_metrics=False):
            if ours:
                for module in _NEEDED:
                    copy_source(module, Path(code))
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(_PYFUNC),
                artifacts={_ARTIFACT: str(folder)},
                signature=_signature(),
                input_example=(pd.DataFrame({"text": ["셀 보호를 설정합니다."]}), {"kind": "query"}),
                pip_requirements=_requirements(_REQUIREMENTS + (_PACKAGE_REQUIREMENTS if ours else ())),
                code_paths=[f"{code}/kosparse"] if ours else None,
            )
        # Leaving the block closed the run, but the pipeline goes on.
        self._client.update_run(parent, status="RUNNING")
        return str(logged.model_uri), logged.model_id

    def _log_metrics(
        self, mlflow_id: str, metrics: Mapping[str, float], model_id: str | None, measured_on: DatasetLink | None
    ) -> None:
        from mlflow.entities import Metric

        name, digest = (measured_on.name, _digest(measured_on)) if measured_on else (None, None)
        now = int(time.time() * 1000)
        finite = {metric_name(key): float(value) for key, value in metrics.items() if math.isfinite(value)}
        rows = [Metric(key, value, now, 0, model_id, name, digest) for key, value in finite.items()]
        if rows:
            self._client.log_batch(mlflow_id, metrics=rows)

    def _registered(self, name: str, tags: Mapping[str, str]) -> str | None:
        """The version of the same model of the same run, if there is one."""
        found = self._client.search_model_versions(f"name='{quoted(name)}'")
        if found and not any(RUN_TAG in each.tags for each in found):
            raise InputError(
                f"the name {name} is taken: it has {len(found)} versions, none of them by kosparse",
                where=f"MLFLOW_TRACKING_URI={shown(self.uri)}",
                fix="Set register_model.name, and check_prerequisites.registered_model, to another one.",
            )
        keys = [key for key in (RUN_TAG, MODEL_TAG) if key in tags]
        same = [each for each in found if all(each.tags.get(key) == tags[key] for key in keys)]
        return str(same[0].version) if same else None

    def _new_version(self, name: str, model_uri: str, parent: str, tags: Mapping[str, str], description: str) -> str:
        if not self._client.search_registered_models(f"name='{quoted(name)}'"):
            self._client.create_registered_model(name, description="Korean neural sparse encoder by kosparse.")
        created = self._client.create_model_version(
            name, model_uri, parent, tags=dict(tags), description=description, model_id=model_uri.split("/")[-1]
        )
        return str(created.version)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the library's errors into ours."""
        try:
            yield
        except Exception as error:
            from_client = type(error).__module__.split(".")[0] in ("mlflow", "requests", "urllib3", "http")
            if not from_client and not isinstance(error, (ConnectionError, TimeoutError)):
                raise
            raise unreachable(self.uri, error) from error


@contextmanager
def _known(model_uri: str) -> Iterator[None]:
    """Tell a version or alias that is not there from a server that fails."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise InputError(
            f"the registry has no such model: {str(error)[:300]}",
            where=model_uri,
            fix="Name one that MLflow shows, such as models:/kosparse/7 or models:/kosparse@champion.",
        ) from error


def refuse_pickles(folder: Path) -> None:
    """Make sure a model folder holds no pickled weights: loading one runs code.

    Raises:
        InputError: It does; names the files.
    """
    found = sorted(path.name for path in folder.rglob("*") if path.suffix in _PICKLES)
    if found:
        raise InputError(
            f"the model holds pickled files: {', '.join(found)}",
            where=str(folder),
            fix="Save the weights as safetensors.",
        )


def _digest(dataset: DatasetLink) -> str:
    return dataset.sha256[:_LONGEST_DIGEST]


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Map

    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "text")]),
        outputs=Schema([ColSpec(Map(DataType.double), "weights")]),
        params=ParamSchema([ParamSpec("kind", DataType.string, "document")]),
    )


def needs_kosparse(folder: Path) -> bool:
    """Whether a SparseEncoder folder names classes of this package: then its code is logged with it."""
    return any('"kosparse.' in path.read_text(encoding="utf-8") for path in folder.rglob("router_config.json"))


def _requirements(packages: Sequence[str]) -> list[str]:
    """The installed versions of what the pyfunc needs, without local build labels such as ``+cpu``."""
    pins = []
    for package in packages:
        try:
            pins.append(f"{package}=={version(package).split('+')[0]}")
        except PackageNotFoundError:
            # mlflow-skinny stands for mlflow here; where the model is loaded, the whole package serves as well.
            pins.append(f"{package}=={version('mlflow-skinny')}" if package == "mlflow" else package)
    return pins
