"""``stop_llm``: stop the language model server, whatever happened before."""

from __future__ import annotations

from kosparse.config import StopLlmConfig
from kosparse.steps.runtime import Metrics, OutPath, step
from kosparse.steps.serve_llm import stop_server


@step
def run(config: StopLlmConfig, *, stopped: OutPath) -> Metrics:
    """Stop the server of this run, if it is ours; a second call finds nothing to do."""
    return stop_server(stopped)
