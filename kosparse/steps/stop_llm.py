"""``stop_llm``: stop the language model server, whatever happened before."""

from __future__ import annotations

from kosparse.config import ServeLlmConfig, StopLlmConfig
from kosparse.jsonl import write_json
from kosparse.settings import settings
from kosparse.steps.runtime import Metrics, OutPath, step
from kosparse.steps.serve_llm import open_server


@step
def run(config: StopLlmConfig, *, stopped: OutPath) -> Metrics:
    """Stop the server of this run, if it is ours; a second call finds nothing to do."""
    server = open_server(ServeLlmConfig(), settings())
    did_stop = server.stop() if server else False
    write_json(stopped, {"stopped": did_stop})
    return {"stopped": float(did_stop)}
