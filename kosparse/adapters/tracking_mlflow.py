"""Runs and metrics on an MLflow server.

One parent run per pipeline run, found by its tag ``kosparse.run_id``; one nested run per step.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kosparse.adapters.mlflow_rest import ANSWER_SECONDS, MlflowRest, Refused, unreachable
from kosparse.ports import CurvePoint

EXPERIMENT = "kosparse"
RUN_TAG, STEP_TAG, PARENT_TAG = "kosparse.run_id", "kosparse.step", "mlflow.parentRunId"

_LONGEST_PARAM = 500
_PARAMS_PER_CALL, _METRICS_PER_CALL = 100, 1000

Run = dict[str, Any]
"""A run as the server sends it: ``info`` and ``data``."""


class MlflowTracker:
    """The Tracker port over MLflow.

    Every method raises ServiceError when the server cannot be reached or refuses us, or is too old.

    Args:
        uri: Address of the server.
        experiment: Where runs are created.
        patience: Seconds to wait for an answer.
    """

    def __init__(self, uri: str, experiment: str = EXPERIMENT, *, patience: float = ANSWER_SECONDS) -> None:
        self.experiment = experiment
        self._server = MlflowRest(uri, patience)
        self._server.check_version()
        self._drawn: dict[tuple[str, str], str] = {}

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
        """Log one step as a run nested below the parent, and its metrics on the parent as ``<step>.<metric>``.

        The run that ``log_points`` has opened for the step is taken where there is one.
        """
        parent = self.start_run(run_id, run_id, {})
        with self._told():
            mlflow_id = self._running(run_id, step) or self._nested(parent, run_id, step)
            self._log_params(mlflow_id, params)
            self._log_metrics(mlflow_id, {**metrics, "seconds": seconds})
            self._log_metrics(parent, {f"{step}.{name}": value for name, value in metrics.items()})
            self._end(mlflow_id, "FINISHED")

    def steps(self, run_id: str) -> dict[str, dict[str, float]]:
        """Metrics of each step logged so far, by its name, earliest first; of a repeated one the last."""
        with self._told():
            found = sorted(self._runs(run_id), key=lambda run: int(run["info"]["start_time"]))
            return {
                _tags(run)[STEP_TAG]: {row["key"]: float(row["value"]) for row in run["data"].get("metrics", [])}
                for run in found
                if STEP_TAG in _tags(run) and run["info"]["status"] == "FINISHED"
            }

    def log_points(self, run_id: str, step: str, points: Sequence[CurvePoint]) -> None:
        """Draw curves of a step that is still running, in a nested run that ``log_step`` will end.

        A step that is started again after it was killed goes on in the run it has opened.
        """
        with self._told():
            if (run_id, step) not in self._drawn:
                parent = self.start_run(run_id, run_id, {})
                self._drawn[run_id, step] = self._running(run_id, step) or self._nested(parent, run_id, step)
            rows = [row for point in points for row in _rows(point.metrics, int(1000 * point.seconds), point.step)]
            self._send_metrics(self._drawn[run_id, step], rows)

    def fail_step(self, run_id: str, step: str) -> None:
        """End the nested run of a step that failed, if points have opened one."""
        with self._told():
            running = self._running(run_id, step)
            if running is not None:
                self._end(running, "FAILED")

    def end_run(self, run_id: str, *, failed: bool = False) -> None:
        """Close the parent run, if there is one, and nested ones whose step was killed."""
        with self._told():
            parent = self._parent(run_id)
            if parent is not None:
                self._end(parent["info"]["run_id"], "FAILED" if failed else "FINISHED")
            for run in self._runs(run_id):
                if PARENT_TAG in _tags(run) and run["info"]["status"] == "RUNNING":
                    self._end(run["info"]["run_id"], "KILLED")

    def _parent(self, run_id: str) -> Run | None:
        parents = [run for run in self._runs(run_id) if PARENT_TAG not in _tags(run)]
        return parents[-1] if parents else None

    def _running(self, run_id: str, step: str) -> str | None:
        """The nested run that points of a step have opened; None when there is none, or it has ended."""
        found = [run for run in self._runs(run_id) if _tags(run).get(STEP_TAG) == step]
        return next((str(run["info"]["run_id"]) for run in found if run["info"]["status"] == "RUNNING"), None)

    def _runs(self, run_id: str) -> list[Run]:
        """Parent and nested runs of a pipeline run, newest first."""
        found: list[Run] = self._server.post(
            "runs/search",
            experiment_ids=[self._experiment_id()],
            filter=f"tags.`{RUN_TAG}` = '{quoted(run_id)}'",
            max_results=1000,
        ).get("runs", [])
        return found

    def _nested(self, parent: str, run_id: str, step: str) -> str:
        """Open a run below the parent."""
        experiment = self._get(parent)["info"]["experiment_id"]
        nested = self._create(experiment, step, {RUN_TAG: run_id, STEP_TAG: step, PARENT_TAG: parent})
        return str(nested["info"]["run_id"])

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
        self._send_metrics(mlflow_id, _rows(metrics, _now(), 0))

    def _send_metrics(self, mlflow_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(rows), _METRICS_PER_CALL):
            self._server.post("runs/log-batch", run_id=mlflow_id, metrics=rows[start : start + _METRICS_PER_CALL])

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the server's refusals, and answers that are no MLflow's, into our errors."""
        try:
            yield
        except (Refused, LookupError, TypeError) as error:
            raise unreachable(self._server.uri, error) from error


def metric_name(key: str) -> str:
    """A key MLflow accepts: ``ndcg@10`` becomes ``ndcg_at_10``."""
    return re.sub(r"[^\w./ -]", "_", key.replace("@", "_at_"))


def _rows(metrics: Mapping[str, float], timestamp: int, step: int) -> list[dict[str, Any]]:
    """Metrics as the server wants them; it has no room for what is no number."""
    finite = {metric_name(key): float(value) for key, value in metrics.items() if math.isfinite(value)}
    return [{"key": key, "value": value, "timestamp": timestamp, "step": step} for key, value in finite.items()]


def _tags(run: Run) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}


def quoted(text: str) -> str:
    """A text that cannot end the quotes of a search filter."""
    return text.replace("'", "")


def _now() -> int:
    return int(time.time() * 1000)
