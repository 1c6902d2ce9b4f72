"""``serve_llm``: start the language model server, or check the one that is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kosparse.config import ServeLlmConfig
from kosparse.errors import ConfigError, ServiceError
from kosparse.jsonl import write_json
from kosparse.llm import endpoint, vllm_log
from kosparse.ports import LlmEndpoint, LlmServer
from kosparse.settings import Settings, settings
from kosparse.steps.runtime import Metrics, OutPath, step


@step
def run(config: ServeLlmConfig, *, gpu_type: str, llm_secret: str, llm: OutPath) -> Metrics:
    """Return once the model answers; write what it is and can do, not where it is.

    ``gpu_type`` and ``llm_secret`` are the run's, for a server started on a cluster whose settings name none.

    Raises:
        ConfigError: An address outside, without consent; or none at all.
        ServiceError: Not ready, wrong key, wrong model, too short a context, another precision than asked for.
    """
    current = settings()
    own = {"gpu_type": config.gpu_type or gpu_type, "key_secret": config.key_secret or llm_secret}
    config = config.model_copy(update=own)
    found = _in_process(current) if current.llm_backend == "transformers" else _served(config, current)
    write_json(llm, found)
    return {"structured_output": float(found["structured_output"]), "max_model_length": found["max_model_length"]}


def open_server(config: ServeLlmConfig, current: Settings) -> LlmServer | None:
    """Whoever runs the server of this run; None when there is none to start or stop."""
    if current.llm_base_url:
        from kosparse.adapters.llm_server_local import LocalLlmServer

        state = os.environ.get("KOSPARSE_LLM_STATE")
        known = LlmEndpoint(current.llm_base_url, current.llm_model, current.llm_api_key)
        return LocalLlmServer(known, Path(state) if state else None)
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        from kosparse.adapters.llm_server_kubernetes import KubernetesLlmServer

        image = config.image or os.environ.get("KOSPARSE_IMAGE_VLLM", "kosparse-vllm:0.1.0")
        return KubernetesLlmServer(config, current.run_id, image=image, api_key=current.llm_api_key)
    return None


def stop_server(report: Path) -> Metrics:
    """Stop the server of this run, if it is ours, and write whether there was one. Idempotent."""
    server = open_server(ServeLlmConfig(), settings())
    stopped = server.stop() if server else False
    write_json(report, {"stopped": stopped})
    return {"stopped": float(stopped)}


def _served(config: ServeLlmConfig, current: Settings) -> dict[str, Any]:
    from kosparse.adapters.chat_openai import OpenAiChatModel

    server = open_server(config, current)
    if server is None:
        raise ConfigError(
            "no language model server is named, and there is no cluster to start one on",
            where="LLM_BASE_URL",
            fix="Set LLM_BASE_URL and LLM_MODEL, or use `make run`, which starts one.",
        )
    if current.llm_base_url:
        endpoint.require_consent(current.llm_base_url, config)
    served = server.start()
    models = endpoint.wait_for_models(served.base_url, served.api_key, config.ready_timeout_seconds, server.check)
    length = endpoint.check_served(models, served.model, config, served.base_url)
    log = server.log()
    return {
        "model": served.model,
        "revision": current.llm_revision or config.revision,
        "quantization": _precision(config, current, log),
        "weights_gb_per_gpu": vllm_log.weight_gigabytes(log),
        "max_model_length": length or config.max_model_length,
        "structured_output": endpoint.probe(OpenAiChatModel(served)),
        "backend": "http",
    }


def _precision(config: ServeLlmConfig, current: Settings, log: str) -> str:
    """The precision the server runs at: as its log says, else as whoever runs it says, else ``unknown``.

    Raises:
        ServiceError: A server we asked for another precision.
    """
    found = vllm_log.effective_precision(log) or current.llm_quantization
    if not current.llm_base_url and found and not vllm_log.is_as_asked(found, config.quantization):
        raise ServiceError(
            f"the server runs {config.model} in {found}, {config.quantization} was asked for",
            where="serve_llm.quantization",
            fix=f"Set serve_llm.quantization={found}, or name a checkpoint published as {config.quantization}.",
        )
    if current.llm_base_url:
        return found or "unknown"
    return config.quantization


def _in_process(current: Settings) -> dict[str, Any]:
    from kosparse.llm.loader import open_chat_model

    model = open_chat_model()
    return {
        "model": model.model,
        "revision": model.revision,
        "quantization": model.quantization,
        "weights_gb_per_gpu": 0.0,
        "max_model_length": 0,
        "structured_output": endpoint.probe(model),
        "backend": "transformers",
    }
