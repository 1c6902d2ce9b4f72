"""Live curves: what a running training is doing, in the progress line and on the tracking server."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import psutil
import torch

from kosparse.errors import KosparseError
from kosparse.ports import CurvePoint
from kosparse.progress import note

Send = Callable[[Sequence[CurvePoint]], None]
"""Gives points to a tracking server; raises KosparseError when it does not take them."""
_MOST_SHARE = 0.1
"""Of the time that sending may take: a slow server is asked less often."""
_MOST_WAITING = 1000
"""Points kept for a server that is away; then the oldest go."""


class Curves:
    """Joins the steps between two points into one, and passes it on. A server that fails stops nothing.

    Args:
        seconds: Between two points; 0 makes one of every step.
        send: To the tracking server; None where there is none.
    """

    def __init__(self, seconds: float, send: Send | None = None) -> None:
        self.line = ""
        """The last point, for the progress line."""
        self._seconds, self._send = seconds, send
        self._waiting: list[CurvePoint] = []
        self._next_send = 0.0
        self._told = False
        self._begin()

    def take(
        self, step: int, parts: Mapping[str, float], *, examples: int, active_dims: float, learning_rate: float
    ) -> None:
        """One training step is done.

        Args:
            step: How many there were.
            parts: Of its loss.
            examples: Queries of its batch.
            active_dims: Mean active dimensions per passage, as last counted.
            learning_rate: Of the first parameter group.
        """
        self._steps += 1
        self._examples += examples
        for name, value in parts.items():
            self._sums[name] += value
        elapsed = time.monotonic() - self._started
        if elapsed < self._seconds:
            return
        metrics = {
            **{name: value / self._steps for name, value in self._sums.items()},
            "active_dims": active_dims,
            "learning_rate": learning_rate,
            "examples_per_second": self._examples / max(elapsed, 1e-9),
            **memory_gb(),
        }
        self._begin()
        self.line = _line(metrics)
        if self._send is not None:
            self._waiting = [*self._waiting, CurvePoint(step, time.time(), metrics)][-_MOST_WAITING:]
            if time.monotonic() >= self._next_send:
                self.flush()

    def flush(self) -> None:
        """Send what is waiting; what cannot be sent waits on, and the first time a line says so."""
        if self._send is None or not self._waiting:
            return
        started = time.monotonic()
        try:
            self._send(self._waiting)
        except KosparseError as error:
            if not self._told:
                note(f"training goes on without its curves: {error.what}")
            self._told = True
        else:
            self._waiting, self._told = [], False
        ended = time.monotonic()
        self._next_send = ended + (ended - started) / _MOST_SHARE

    def _begin(self) -> None:
        """Start the next point."""
        self._sums: dict[str, float] = defaultdict(float)
        self._steps = self._examples = 0
        self._started = time.monotonic()


def memory_gb() -> dict[str, float]:
    """What this process holds now, and the most it has held of a GPU, in 10^9 bytes."""
    held = {"memory_gb": psutil.Process().memory_info().rss / 1e9}
    if torch.cuda.is_available():
        held["gpu_memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return held


def _line(metrics: Mapping[str, float]) -> str:
    memory = metrics.get("gpu_memory_gb", metrics["memory_gb"])
    return (
        f"loss {metrics['loss']:.4g}, {metrics['active_dims']:.0f} active, rate {metrics['learning_rate']:.1e}, "
        f"{metrics['examples_per_second']:.3g} examples/s, {memory:.1f} GB"
    )
