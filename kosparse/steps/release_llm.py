"""``release_llm``: free the accelerator once no step asks the language model any more."""

from __future__ import annotations

from kosparse.config import ReleaseLlmConfig
from kosparse.steps.runtime import Metrics, OutPath, step
from kosparse.steps.serve_llm import stop_server


@step
def run(config: ReleaseLlmConfig, *, released: OutPath) -> Metrics:
    """Stop the server of this run, if it is ours; a second call finds nothing to do."""
    return stop_server(released)
