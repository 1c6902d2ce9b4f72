"""Progress of long work, as events another process can draw.

A step's process has no terminal under the local runner, so progress is appended as JSON lines to
the file named by ``KOSPARSE_EVENTS``; the local runner reads that file and draws the bars. Without
that file, and with a terminal on standard error, a plain one-line bar with rate and ETA is drawn.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")

_SECONDS_BETWEEN_EVENTS = 0.5
_current_step = ""


def set_step(name: str) -> None:
    """Name the step that this process's events belong to."""
    global _current_step
    _current_step = name


def emit(event: str, **fields: Any) -> None:
    """Append one event to the events file, if there is one. Short lines, so appends stay whole."""
    path = os.environ.get("KOSPARSE_EVENTS")
    if not path:
        return
    line = json.dumps({"time": time.time(), "step": _current_step, "event": event, **fields}, ensure_ascii=False)
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def note(text: str) -> None:
    """Tell the person watching something worth knowing about this step."""
    emit("note", text=text)
    if not os.environ.get("KOSPARSE_EVENTS"):
        print(text, file=sys.stderr)


def track(items: Iterable[Item], what: str, total: int | None = None, unit: str = "it") -> Iterator[Item]:
    """Yield the items while reporting how many are done.

    Args:
        items: What to walk through.
        what: Short name of the work, shown beside the bar.
        total: How many there will be; taken from ``len(items)`` when it has one.
        unit: What one item is called.
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    bar = Bar(what, total, unit)
    for item in items:
        yield item
        bar.advance()
    bar.close()


class Bar:
    """Progress for work that is not a plain loop: call ``advance`` as it goes, ``close`` at the end."""

    def __init__(self, what: str, total: int | None, unit: str = "it") -> None:
        self.what, self.total, self.unit, self.done = what, total, unit, 0
        self.detail = ""
        """Shown behind the rate: what else is worth knowing right now."""
        self._started = self._shown = time.monotonic()
        self._draw = not os.environ.get("KOSPARSE_EVENTS") and sys.stderr.isatty()

    def advance(self, count: int = 1) -> None:
        """Count ``count`` more items as done."""
        self.done += count
        now = time.monotonic()
        if now - self._shown >= _SECONDS_BETWEEN_EVENTS:
            self._shown = now
            self._report(now)

    def close(self) -> None:
        """Report the final count."""
        self._report(time.monotonic())
        if self._draw:
            print(file=sys.stderr)

    def _report(self, now: float) -> None:
        seconds = max(now - self._started, 1e-9)
        shown: dict[str, Any] = {"what": self.what, "done": self.done, "total": self.total, "unit": self.unit}
        emit("progress", **shown, seconds=round(seconds, 2), detail=self.detail)
        if self._draw:
            # The line before may have been longer: what is left of it is cleared.
            print(f"\r{describe(**shown, seconds=seconds, detail=self.detail)}\033[K", end="", file=sys.stderr)


def describe(what: str, done: int, total: int | None, unit: str, seconds: float, detail: str = "") -> str:
    """One line of progress: ``queries 12/80 passages, 1.4/s, 0:48 left``."""
    rate = done / seconds if seconds > 0 else 0.0
    text = f"{what} {done:,}" + (f"/{total:,}" if total else "") + f" {unit}, {rate:,.1f}/s"
    if total and rate > 0 and done < total:
        left = int((total - done) / rate)
        text += f", {left // 60}:{left % 60:02d} left"
    return f"{text}, {detail}" if detail else text
