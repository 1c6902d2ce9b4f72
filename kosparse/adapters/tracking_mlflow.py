"""Tracking and model registry on an MLflow server.

One parent run per pipeline run, found by its tag ``kosparse.run_id``; one nested run per step. The
server is asked with few retries, so that a dead one costs seconds, not the run.
"""

from __future__ import annotations

import math
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kosparse.errors import InputError, ServiceError
from kosparse.ports import ModelVersion

if TYPE_CHECKING:
    from mlflow.entities import Run

EXPERIMENT = "kosparse"
RUN_TAG, STEP_TAG, MODEL_TAG = "kosparse.run_id", "kosparse.step", "kosparse.model_sha256"

_PROBE_SECONDS = 5.0
_SCHEMES = ("http://", "https://", "file://", "databricks")
"""MLflow takes anything else for a path and would write a folder of that name."""
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_PYFUNC = Path(__file__).parent / "pyfunc_model.py"
_REQUIREMENTS = ("mlflow", "sentence-transformers", "transformers", "torch", "safetensors", "numpy", "pandas", "scipy")
_PICKLES = (".bin", ".pkl", ".pickle", ".pt", ".pth", ".joblib")
_LONGEST_PARAM = 500


class MlflowTracker:
    """The Tracker port over MLflow.

    Every method raises ServiceError when the server cannot be reached or refuses us.
    """

    def __init__(self, uri: str, experiment: str = EXPERIMENT) -> None:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self.uri, self.experiment = uri, experiment
        with self._told():
            _probe(uri)
            import mlflow

            self._client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)

    def start_run(self, run_id: str, name: str, params: Mapping[str, Any]) -> str:
        """Create the parent run tagged with ``run_id``, or adopt the one that exists; return its MLflow id.

        ``MLFLOW_RUN_ID`` names a run to adopt: KFP's own MLflow plugin sets it.
        """
        with self._told():
            parent = self._parent(run_id) or self._adopted(run_id)
            if parent is None:
                tags = {RUN_TAG: run_id, "mlflow.runName": name}
                parent = self._client.create_run(self._experiment_id(), tags=tags)
            self._log_params(parent.info.run_id, params, parent.data.params)
            return str(parent.info.run_id)

    def log_step(
        self, run_id: str, step: str, params: Mapping[str, Any], metrics: Mapping[str, float], seconds: float
    ) -> None:
        """Log one step as a run nested below the parent, and its metrics on the parent as ``<step>.<metric>``."""
        parent = self.start_run(run_id, run_id, {})
        with self._told():
            experiment = self._client.get_run(parent).info.experiment_id
            tags = {RUN_TAG: run_id, STEP_TAG: step, "mlflow.parentRunId": parent, "mlflow.runName": step}
            nested = self._client.create_run(experiment, tags=tags).info.run_id
            self._log_params(nested, params, {})
            self._log_metrics(nested, {**metrics, "seconds": seconds})
            self._log_metrics(parent, {f"{step}.{name}": value for name, value in metrics.items()})
            self._client.set_terminated(nested)

    def end_run(self, run_id: str, *, failed: bool = False) -> None:
        """Close the parent run, if there is one."""
        with self._told():
            parent = self._parent(run_id)
            if parent is not None:
                self._client.set_terminated(parent.info.run_id, status="FAILED" if failed else "FINISHED")

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
        description: str = "",
    ) -> ModelVersion:
        """Log the model folder as a pyfunc, register a version and point ``alias`` at it.

        The same model of the same run (tags ``kosparse.run_id`` and ``kosparse.model_sha256``) is
        registered once: asked again, its version is returned and the alias set again.

        Raises:
            InputError: The folder holds pickled weights.
        """
        refuse_pickles(model_folder)
        parent = self.start_run(run_id, run_id, {})
        with self._told():
            tags = {**tags, RUN_TAG: run_id}
            number = self._registered(name, tags)
            if number is None:
                for path in artifacts:
                    self._client.log_artifact(parent, str(path), "report")
                model_uri = self._log_model(parent, model_folder, metrics)
                number = self._new_version(name, model_uri, parent, tags, description)
            self._client.set_registered_model_alias(name, alias, number)
            return ModelVersion(name, number, alias, f"{self.uri.rstrip('/')}/#/models/{name}/versions/{number}")

    def _parent(self, run_id: str) -> Run | None:
        found = self._client.search_runs([self._experiment_id()], f"tags.`{RUN_TAG}` = '{_quoted(run_id)}'")
        parents = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
        return parents[-1] if parents else None

    def _adopted(self, run_id: str) -> Run | None:
        given = os.environ.get("MLFLOW_RUN_ID")
        if not given:
            return None
        self._client.set_tag(given, RUN_TAG, run_id)
        return self._client.get_run(given)

    def _experiment_id(self) -> str:
        """The experiment our runs live in: that of ``MLFLOW_RUN_ID`` when one is given."""
        from mlflow.exceptions import MlflowException

        if os.environ.get("MLFLOW_RUN_ID"):
            return str(self._client.get_run(os.environ["MLFLOW_RUN_ID"]).info.experiment_id)
        found = self._client.get_experiment_by_name(self.experiment)
        if found is None:
            try:
                return str(self._client.create_experiment(self.experiment))
            except MlflowException:
                # Another process was faster; if not, the next line has nothing to return.
                found = self._client.get_experiment_by_name(self.experiment)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _log_params(self, mlflow_id: str, params: Mapping[str, Any], known: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        new = [
            Param(_name(key), str(value)[:_LONGEST_PARAM]) for key, value in params.items() if _name(key) not in known
        ]
        if new:
            self._client.log_batch(mlflow_id, params=new)

    def _log_metrics(self, mlflow_id: str, metrics: Mapping[str, float], model_id: str | None = None) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        finite = {_name(key): float(value) for key, value in metrics.items() if math.isfinite(value)}
        if finite:
            rows = [Metric(key, value, now, 0, model_id=model_id) for key, value in finite.items()]
            self._client.log_batch(mlflow_id, metrics=rows)

    def _log_model(self, parent: str, folder: Path, metrics: Mapping[str, float]) -> str:
        import mlflow
        import pandas as pd

        mlflow.set_tracking_uri(self.uri)
        with mlflow.start_run(run_id=parent, log_system_metrics=False):
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(_PYFUNC),
                artifacts={"sparse_encoder": str(folder)},
                signature=_signature(),
                input_example=(pd.DataFrame({"text": ["셀 보호를 설정합니다."]}), {"kind": "query"}),
                pip_requirements=_requirements(),
            )
        # Leaving the block closed the run, but the pipeline goes on.
        self._client.update_run(parent, status="RUNNING")
        self._log_metrics(parent, metrics, logged.model_id)
        return str(logged.model_uri)

    def _registered(self, name: str, tags: Mapping[str, str]) -> str | None:
        found = self._client.search_model_versions(f"name='{_quoted(name)}'")
        keys = [key for key in (RUN_TAG, MODEL_TAG) if key in tags]
        same = [each for each in found if all(each.tags.get(key) == tags[key] for key in keys)]
        return str(same[0].version) if same else None

    def _new_version(self, name: str, model_uri: str, parent: str, tags: Mapping[str, str], description: str) -> str:
        if not self._client.search_registered_models(f"name='{_quoted(name)}'"):
            self._client.create_registered_model(name, description="Korean neural sparse encoder by kosparse.")
        created = self._client.create_model_version(
            name, model_uri, parent, tags=dict(tags), description=description, model_id=model_uri.split("/")[-1]
        )
        return str(created.version)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the client's errors into ours."""
        try:
            yield
        except Exception as error:
            from_client = type(error).__module__.split(".")[0] in ("mlflow", "requests", "urllib3", "http")
            if not from_client and not isinstance(error, (urllib.error.URLError, ConnectionError, TimeoutError)):
                raise
            raise ServiceError(
                f"the tracking server does not answer or refuses: {_reason(error)}",
                where=f"MLFLOW_TRACKING_URI={_shown(self.uri)}",
                fix="Check that it runs (make mlflow), its address, credentials and version; then run this step again.",
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


def _probe(uri: str) -> None:
    """Fail within seconds when nobody listens: any HTTP answer at all will do."""
    if not uri.startswith(_SCHEMES):
        raise ServiceError(
            "not the address of a tracking server",
            where=f"MLFLOW_TRACKING_URI={_shown(uri)}",
            fix="It looks like http://mlflow.kubeflow:5000.",
        )
    if not uri.startswith("http"):
        return
    try:
        urllib.request.urlopen(uri.rstrip("/") + "/health", timeout=_PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Map

    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "text")]),
        outputs=Schema([ColSpec(Map(DataType.double), "weights")]),
        params=ParamSchema([ParamSpec("kind", DataType.string, "document")]),
    )


def _requirements() -> list[str]:
    """The installed versions of what the pyfunc needs, without local build labels such as ``+cpu``."""
    pins = []
    for package in _REQUIREMENTS:
        try:
            pins.append(f"{package}=={version(package).split('+')[0]}")
        except PackageNotFoundError:
            # mlflow-skinny stands for mlflow here; where the model is loaded, the whole package serves as well.
            pins.append(f"{package}=={version('mlflow-skinny')}" if package == "mlflow" else package)
    return pins


def _name(key: str) -> str:
    """A key MLflow accepts: ``ndcg@10`` becomes ``ndcg_at_10``."""
    return re.sub(r"[^\w./ -]", "_", key.replace("@", "_at_"))


def _reason(error: Exception) -> str:
    """The cause at the end of a client's long message, at most 300 characters."""
    text = str(error)
    return text[max(text.rfind("Caused by"), 0) :][:300]


def _shown(uri: str) -> str:
    """An address without the password that may stand in it."""
    return re.sub(r"//[^/@]*@", "//", uri)


def _quoted(text: str) -> str:
    return text.replace("'", "")
