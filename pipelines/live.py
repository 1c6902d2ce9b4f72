"""Show a running pipeline: a live line per step on a terminal, a line per event elsewhere."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from kosparse.progress import describe
from kosparse.steps import STEPS

_SECONDS_BETWEEN_LINES = 20.0
_SYMBOLS = {"waiting": "·", "running": "▶", "done": "✔", "failed": "✘"}


@dataclass
class StepState:
    """What is known of one step."""

    status: str = "waiting"
    started: float = 0.0
    seconds: float = 0.0
    progress: str = ""
    error: str = ""
    exit_code: int = 0
    metrics: dict[str, float] = field(default_factory=dict)


class Board:
    """The state of all steps, from the events file; feed it with ``read``."""

    def __init__(self, events: Path) -> None:
        self.steps = {name: StepState() for name in STEPS}
        self.notes: list[str] = []
        self.llm: dict[str, float] = {}
        self._events, self._offset = events, 0

    def read(self) -> list[dict[str, Any]]:
        """Take in the events written since the last call, and return them."""
        if not self._events.exists():
            return []
        with open(self._events, "rb") as file:
            file.seek(self._offset)
            data = file.read()
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        events = [json.loads(line) for line in complete.splitlines()]
        for event in events:
            self._take(event)
        return events

    def _take(self, event: dict[str, Any]) -> None:
        if event["event"] == "note":
            self.notes.append(f"{event['step']}: {event['text']}")
        state = self.steps.get(event["step"])
        if state is None:
            return
        match event["event"]:
            case "started":
                state.status, state.started = "running", event["time"]
            case "progress":
                state.progress = describe(
                    event["what"], event["done"], event["total"], event["unit"], event["seconds"], event["detail"]
                )
            case "finished":
                state.status, state.seconds, state.metrics = "done", event["seconds"], event["metrics"]
            case "failed":
                state.status, state.error, state.exit_code = "failed", event["error"], event["exit_code"]
            case "llm":
                for key, value in event.items():
                    if isinstance(value, int | float) and key != "time":
                        self.llm[key] = self.llm.get(key, 0) + value

    @property
    def failed(self) -> list[str]:
        """Steps that failed, in graph order."""
        return [name for name, state in self.steps.items() if state.status == "failed"]

    def table(self) -> Table:
        """All steps as a table for the terminal."""
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, state in self.steps.items():
            seconds = state.seconds or (time.time() - state.started if state.status == "running" else 0)
            detail = state.progress if state.status == "running" else _headline(state)
            clock = f"{seconds:6.1f}s" if seconds else ""
            table.add_row(_SYMBOLS[state.status], name, clock, detail)
        return table


def _headline(state: StepState) -> str:
    """The first numbers a finished step reported, or why it failed."""
    if state.status == "failed":
        return state.error.split("\n", 1)[0]
    return ", ".join(f"{key} {value:g}" for key, value in list(state.metrics.items())[:4])


class Display:
    """Draws a board until closed; a context manager."""

    def __init__(self, board: Board, console: Console | None = None) -> None:
        self.board, self.console = board, console or Console(file=sys.stderr)
        self._live = Live(board.table(), console=self.console, refresh_per_second=4) if self._interactive else None
        self._said: dict[str, float] = {}

    @property
    def _interactive(self) -> bool:
        return self.console.is_terminal

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.update()
        if self._live:
            self._live.stop()

    def update(self) -> None:
        """Read new events and show them."""
        events = self.board.read()
        if self._live:
            self._live.update(self.board.table())
            return
        for event in events:
            self._say(event)

    def _say(self, event: dict[str, Any]) -> None:
        name, state = event["step"], self.board.steps.get(event["step"])
        if state is None:
            return
        if (
            event["event"] == "progress"
            and event["time"] - self._said.get(name, state.started) < _SECONDS_BETWEEN_LINES
        ):
            return
        line = {
            "started": f"▶ {name}",
            "progress": f"  {name}: {state.progress}",
            "finished": f"✔ {name} {state.seconds:.1f}s  {_headline(state)}",
            "failed": f"✘ {name}  {_headline(state)}",
            "note": f"  {name}: {event.get('text')}",
        }.get(event["event"])
        if line:
            self._said[name] = event["time"]
            print(line, file=self.console.file, flush=True)
