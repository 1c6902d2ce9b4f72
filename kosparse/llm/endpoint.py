"""Is the language model there, is it the right one, and what can it do? Asked once, early."""

from __future__ import annotations

import ipaddress
import json
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from kosparse import progress
from kosparse.config import ServeLlmConfig
from kosparse.errors import ConfigError, ServiceError
from kosparse.llm.structured import parse_json
from kosparse.ports import ChatModel, ChatRequest
from kosparse.records import Completion

_PROBE_SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "integer"}},
    "required": ["number"],
    "additionalProperties": False,
}


def require_consent(base_url: str, config: ServeLlmConfig) -> None:
    """Refuse an address outside this machine and cluster unless the config allows it.

    Raises:
        ConfigError: Says what would be sent, and how to allow it.
    """
    if _is_ours(urllib.parse.urlparse(base_url).hostname or ""):
        return
    if not config.allow_external:
        raise ConfigError(
            "the language model is outside this machine and cluster: passages, queries and terms of the corpus "
            "would be sent there",
            where=base_url,
            fix="Set serve_llm.allow_external=true if that is what you want.",
        )
    progress.note(f"passages, queries and terms of the corpus are sent to {base_url}")


def _is_ours(host: str) -> bool:
    """Loopback, private networks, and names without a public domain (cluster services)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".svc", ".local", ".internal"))
    return address.is_loopback or address.is_private


def wait_for_models(
    base_url: str, api_key: str, timeout: float, check: Callable[[], None] = lambda: None
) -> list[dict[str, Any]]:
    """The models the server lists, as soon as it answers.

    Args:
        base_url: Ends in ``/v1``.
        api_key: Empty for a server that wants none.
        timeout: Seconds it may be silent.
        check: Called while waiting; raises when the server has died, so that nobody waits for a dead one.

    Raises:
        ServiceError: It refuses the key, answers something else, or is silent for ``timeout`` seconds.
    """
    bar = progress.Bar("waiting for the language model", None, "s")
    started = time.monotonic()
    while True:
        answer = _list_models(base_url, api_key)
        if isinstance(answer, list):
            bar.close()
            return answer
        check()
        if time.monotonic() - started > timeout:
            raise ServiceError(
                f"the language model server does not answer: {answer}",
                where=base_url,
                fix="Check LLM_BASE_URL and the server's log, or raise serve_llm.ready_timeout_seconds.",
            )
        time.sleep(1.0)
        bar.done = int(time.monotonic() - started)
        bar.advance(0)


def _list_models(base_url: str, api_key: str) -> list[dict[str, Any]] | str:
    """The models, or why there is no answer yet."""
    import httpx

    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        response = httpx.get(f"{base_url}/models", headers=headers, timeout=10.0)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    if response.status_code in (401, 403):
        raise ServiceError("the language model server refuses the key", where=base_url, fix="Check LLM_API_KEY.")
    try:
        models = response.json()["data"]
    except (ValueError, KeyError, TypeError) as error:
        if response.status_code in (502, 503):
            return f"status {response.status_code}"
        raise ServiceError(
            f"this is no OpenAI-compatible server: status {response.status_code}, {response.text[:80]!r}",
            where=f"{base_url}/models",
            fix="LLM_BASE_URL should end in /v1 and point at the API, not at a web page.",
        ) from error
    return list(models)


def check_served(models: list[dict[str, Any]], name: str, config: ServeLlmConfig, base_url: str) -> int:
    """The context length of the model named, 0 when the server does not tell.

    Raises:
        ServiceError: The server does not serve it, or with too short a context.
    """
    served = {str(model["id"]): model for model in models}
    if name not in served:
        raise ServiceError(
            f"the server does not serve {name!r}; it serves {', '.join(sorted(served)) or 'nothing'}",
            where=base_url,
            fix="Set LLM_MODEL to one of those.",
        )
    length = int(served[name].get("max_model_len") or 0)
    if 0 < length < config.max_model_length:
        raise ServiceError(
            f"{name} is served with a context of {length} tokens, {config.max_model_length} are asked for",
            where=base_url,
            fix="Start the server with a longer context, or lower serve_llm.max_model_length.",
        )
    return length


def probe(model: ChatModel) -> bool:
    """One real completion; whether the server holds answers to a JSON schema.

    Some servers accept a schema and ignore it, so the answer is looked at.

    Raises:
        ServiceError: There is no answer.
    """
    question = {"role": "user", "content": "Write a sentence about spring. Do not use digits."}
    for _, answer in model.complete([ChatRequest((question,), _PROBE_SCHEMA, max_tokens=24)]):
        if isinstance(answer, Completion):
            return _is_number(answer.text)
        raise ServiceError(
            f"the language model answers nothing usable: {answer.reason} {answer.detail}",
            where=model.model,
            fix="See the server's log.",
        )
    raise ServiceError("the language model gave no answer", where=model.model, fix="See the server's log.")


def _is_number(text: str) -> bool:
    try:
        value = parse_json(text)
    except (ValueError, json.JSONDecodeError):
        return False
    return isinstance(value, dict) and isinstance(value.get("number"), int)
