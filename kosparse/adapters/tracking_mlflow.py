"""Runs and metrics on an MLflow server.

One parent run per pipeline run, found by its tag ``kosparse.run_id``; one nested run per step.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kosparse.adapters.mlflow_rest import MlflowRest, Refused, unreachable

EXPERIMENT = "kosparse"
RUN_TAG, STEP_TAG, PARENT_TAG = "kosparse.run_id", "kosparse.step", "mlflow.parentRunId"

_LONGEST_PARAM = 500
_PARAMS_PER_CALL = 100

Run = dict[str, Any]
"""A run as the server sends it: ``info`` and ``data``."""


class MlflowTracker:
    """The Tracker port over MLflow.

    Every method raises ServiceError when the server cannot be reached or refuses us, or is too old.
    """

    def __init__(self, uri: str, experiment: str = EXPERIMENT) -> None:
        self.experiment = experiment
        self._server = MlflowRest(uri)
        self._server.check_version()

    def start_run(self, run_id: str, name: str, params: Mapping[str, Any]) -> str:
        """Create the parent run tagged with ``run_id``, or adopt the one that exists; return its MLflow id.

        ``MLFLOW_RUN_ID`` names a run to adopt: KFP's own MLflow plugin sets it.
        """
        with self._told():
            parent = self._parent(run_id) or self._adopted(run_id)
            if parent is None:
                parent = self._create(self._experiment_id(), name, {RUN_TAG: run_id})
            known = {param["key"] for param in parent["data"].get("params", [])}
            mlflow_id = str(parent["info"]["run_id"])
            self._log_params(mlflow_id, {key: value for key, value in params.items() if metric_name(key) not in known})
            return mlflow_id

    def log_step(
        self, run_id: str, step: str, params: Mapping[str, Any], metrics: Mapping[str, float], seconds: float
    ) -> None:
        """Log one step as a run nested below the parent, and its metrics on the parent as ``<step>.<metric>``."""
        parent = self.start_run(run_id, run_id, {})
        with self._told():
            experiment = self._get(parent)["info"]["experiment_id"]
            nested = self._create(experiment, step, {RUN_TAG: run_id, STEP_TAG: step, PARENT_TAG: parent})
            mlflow_id = str(nested["info"]["run_id"])
            self._log_params(mlflow_id, params)
            self._log_metrics(mlflow_id, {**metrics, "seconds": seconds})
            self._log_metrics(parent, {f"{step}.{name}": value for name, value in metrics.items()})
            self._end(mlflow_id, "FINISHED")

    def steps(self, run_id: str) -> dict[str, dict[str, float]]:
        """Metrics of each step logged so far, by its name, earliest first; of a repeated one the last."""
        with self._told():
            found = sorted(self._runs(run_id), key=lambda run: int(run["info"]["start_time"]))
            tagged = [({tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}, run) for run in found]
            return {
                tags[STEP_TAG]: {row["key"]: float(row["value"]) for row in run["data"].get("metrics", [])}
                for tags, run in tagged
                if STEP_TAG in tags
            }

    def end_run(self, run_id: str, *, failed: bool = False) -> None:
        """Close the parent run, if there is one."""
        with self._told():
            parent = self._parent(run_id)
            if parent is not None:
                self._end(parent["info"]["run_id"], "FAILED" if failed else "FINISHED")

    def _parent(self, run_id: str) -> Run | None:
        parents = [
            run for run in self._runs(run_id) if PARENT_TAG not in {tag["key"] for tag in run["data"].get("tags", [])}
        ]
        return parents[-1] if parents else None

    def _runs(self, run_id: str) -> list[Run]:
        """The parent run and all nested ones."""
        found: list[Run] = self._server.post(
            "runs/search",
            experiment_ids=[self._experiment_id()],
            filter=f"tags.`{RUN_TAG}` = '{quoted(run_id)}'",
            max_results=1000,
        ).get("runs", [])
        return found

    def _adopted(self, run_id: str) -> Run | None:
        given = os.environ.get("MLFLOW_RUN_ID")
        if not given:
            return None
        self._server.post("runs/set-tag", run_id=given, key=RUN_TAG, value=run_id)
        return self._get(given)

    def _get(self, mlflow_id: str) -> Run:
        run: Run = self._server.get("runs/get", run_id=mlflow_id)["run"]
        return run

    def _experiment_id(self) -> str:
        """The experiment our runs live in: that of ``MLFLOW_RUN_ID`` when one is given."""
        if os.environ.get("MLFLOW_RUN_ID"):
            return str(self._get(os.environ["MLFLOW_RUN_ID"])["info"]["experiment_id"])
        try:
            return self._experiment_of_name()
        except Refused as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
        try:
            return str(self._server.post("experiments/create", name=self.experiment)["experiment_id"])
        except Refused as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
            return self._experiment_of_name()  # another process was faster

    def _experiment_of_name(self) -> str:
        found = self._server.get("experiments/get-by-name", experiment_name=self.experiment)
        return str(found["experiment"]["experiment_id"])

    def _create(self, experiment: str, name: str, tags: Mapping[str, str]) -> Run:
        rows = [{"key": key, "value": value} for key, value in tags.items()]
        created: Run = self._server.post(
            "runs/create", experiment_id=experiment, run_name=name, start_time=_now(), tags=rows
        )["run"]
        return created

    def _end(self, mlflow_id: str, status: str) -> None:
        self._server.post("runs/update", run_id=mlflow_id, status=status, end_time=_now())

    def _log_params(self, mlflow_id: str, params: Mapping[str, Any]) -> None:
        rows = [{"key": metric_name(key), "value": str(value)[:_LONGEST_PARAM]} for key, value in params.items()]
        for start in range(0, len(rows), _PARAMS_PER_CALL):
            self._server.post("runs/log-batch", run_id=mlflow_id, params=rows[start : start + _PARAMS_PER_CALL])

    def _log_metrics(self, mlflow_id: str, metrics: Mapping[str, float]) -> None:
        now = _now()
        finite = {metric_name(key): float(value) for key, value in metrics.items() if math.isfinite(value)}
        rows = [{"key": key, "value": value, "timestamp": now, "step": 0} for key, value in finite.items()]
        if rows:
            self._server.post("runs/log-batch", run_id=mlflow_id, metrics=rows)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the server's refusals into our errors."""
        try:
            yield
        except Refused as error:
            raise unreachable(self._server.uri, error) from error


def metric_name(key: str) -> str:
    """A key MLflow accepts: ``ndcg@10`` becomes ``ndcg_at_10``."""
    return re.sub(r"[^\w./ -]", "_", key.replace("@", "_at_"))


def quoted(text: str) -> str:
    """A text that cannot end the quotes of a search filter."""
    return text.replace("'", "")


def _now() -> int:
    return int(time.time() * 1000)
