"""The language model server this machine's runner started, stopped from any step."""

from __future__ import annotations

from pathlib import Path

from kosparse.ports import LlmEndpoint
from kosparse.services.process import stop_recorded


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

    def stop(self) -> bool:
        """Stop exactly the process the state file names; nothing for a server that was given."""
        return stop_recorded(self.state) if self.state else False
