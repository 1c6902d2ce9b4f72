"""The language model server this machine's runner started, stopped from any step."""

from __future__ import annotations

from pathlib import Path

from kosparse.errors import ServiceError
from kosparse.jsonl import read_json
from kosparse.ports import LlmEndpoint
from kosparse.services import guard
from kosparse.services.process import stop_recorded, tail


class LocalLlmServer:
    """A server that runs already, known by its address and state file.

    Args:
        endpoint: Where it answers.
        state: Names its process; None for a server that is not ours to stop.
    """

    def __init__(self, endpoint: LlmEndpoint, state: Path | None) -> None:
        self.endpoint, self.state = endpoint, state

    def start(self) -> LlmEndpoint:
        """Where it answers: the runner started it."""
        return self.endpoint

    def check(self) -> None:
        """Nothing for a server that was given.

        Raises:
            ServiceError: Our server has ended; with the end of its log.
        """
        if self.state is None:
            return
        record = read_json(self.state) if self.state.is_file() else None
        if record is None or not guard.is_alive(int(record["pid"]), float(record["started"])):
            log = self.state.with_name("llm.log")
            raise ServiceError(
                f"the language model server has ended; its log ends with:\n{tail(log)}",
                where=str(log),
                fix="Read the log, mend what it names, and run again: answers given so far are kept.",
            )

    def log(self) -> str:
        """What our server has logged so far; empty for one that was given."""
        log = self.state.with_name("llm.log") if self.state else None
        return log.read_text(encoding="utf-8", errors="replace") if log and log.is_file() else ""

    def stop(self) -> bool:
        """Stop exactly the process the state file names; nothing for a server that was given."""
        return stop_recorded(self.state) if self.state else False
