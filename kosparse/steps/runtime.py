"""What every step does around its logic: parse the config, time it, report, track, check outputs.

A step is a function ``run(config, *, <inputs and outputs>) -> metrics`` under ``@step``::

    @step
    def run(config: ComputeIdfConfig, *, passages: InPath, backbone: InPath, idf: OutPath) -> Metrics: ...

Callers give the config as a dict and every path as a string; the component and the command line are
both derived from this signature.
"""

from __future__ import annotations

import atexit
import gc
import inspect
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from kosparse import progress
from kosparse.config import StepConfig
from kosparse.errors import InputError, KosparseError
from kosparse.llm.accounting import spent
from kosparse.settings import settings

InPath = Annotated[Path, "in"]
"""A file or folder an earlier step wrote."""
OutPath = Annotated[Path, "out"]
"""A file or folder this step writes. Its parent exists; it does not."""

# A process that runs a step ends with it. Python would first search all that torch brought along for garbage: two
# seconds for every step.
atexit.register(gc.freeze)

Metrics = dict[str, float]
"""Numbers a step reports: shown by KFP, MLflow and the local runner."""


@dataclass(frozen=True)
class Step:
    """A step ready to be called by a component, the command line or a test."""

    name: str
    config_type: type[StepConfig]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: tuple[str, ...]
    """Plain string parameters, such as where the corpus is; empty where they are not given."""
    function: Callable[..., Metrics]

    def __call__(self, *, config: Mapping[str, Any] | None = None, **arguments: str | Path) -> Metrics:
        """Run the step once, from raw arguments.

        Raises:
            KosparseError: With what was wrong; also sent to the events file.
        """
        progress.set_step(self.name)
        progress.emit("started")
        started, asked = time.monotonic(), spent()
        try:
            metrics = self._run(config or {}, arguments)
        except KosparseError as error:
            progress.emit("failed", error=error.message, exit_code=error.exit_code)
            raise
        except BaseException as error:
            progress.emit("failed", error=f"{type(error).__name__}: {error}", exit_code=1)
            raise
        seconds = time.monotonic() - started
        if settings().rank:  # one of several processes of a training; the first speaks for all
            return metrics
        used = {f"llm_{name}": total - asked.get(name, 0) for name, total in spent().items()}
        self._track(config or {}, metrics | used, seconds)
        progress.emit("finished", seconds=round(seconds, 2), metrics=metrics)
        return metrics

    def _run(self, config: Mapping[str, Any], arguments: Mapping[str, str | Path]) -> Metrics:
        parsed = self.config_type.parse(config, step=self.name)
        values: dict[str, Any] = {name: str(arguments.get(name, "")) for name in self.params}
        for name in self.inputs:
            values[name] = Path(arguments[name])
            if not values[name].exists():
                raise InputError(
                    f"{self.name} needs {name}, which is not there",
                    where=str(values[name]),
                    fix="Run the step that writes it first (docs/steps.md names it).",
                )
        for name in self.outputs:
            values[name] = Path(arguments[name])
            values[name].parent.mkdir(parents=True, exist_ok=True)
        random.seed(parsed.seed)
        metrics = self.function(parsed, **values)
        missing = [name for name in self.outputs if not values[name].exists() and not settings().rank]
        assert not missing, f"{self.name} did not write {missing}"
        return metrics

    def _track(self, config: Mapping[str, Any], metrics: Metrics, seconds: float) -> None:
        """Log to the tracking server; a step's result is never lost for want of one."""
        current = settings()
        if not current.mlflow_uri:
            return
        from kosparse.adapters.tracking_mlflow import MlflowTracker

        try:
            params = self.config_type.parse(config, step=self.name).model_dump()
            MlflowTracker(current.mlflow_uri).log_step(current.run_id, self.name, params, metrics, seconds)
        except KosparseError as error:
            progress.note(f"{self.name} finished but could not be tracked: {error.what}")


def step(function: Callable[..., Metrics]) -> Step:
    """Turn ``run(config, *, ...)`` in module ``kosparse.steps.<name>`` into a Step."""
    hints = get_type_hints(function, include_extras=True)
    names = [name for name in inspect.signature(function).parameters if name != "config"]

    def marked(kind: str) -> tuple[str, ...]:
        return tuple(name for name in names if kind in getattr(hints[name], "__metadata__", ()))

    inputs, outputs = marked("in"), marked("out")
    return Step(
        name=function.__module__.rsplit(".", 1)[-1],
        config_type=hints["config"],
        inputs=inputs,
        outputs=outputs,
        params=tuple(name for name in names if name not in inputs + outputs),
        function=function,
    )
