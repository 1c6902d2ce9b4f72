"""vLLM's ``/tokenize``: how the server itself writes and counts a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from kosparse.llm.server_metrics import metrics_address

_SECONDS = 10.0


class Tokens(BaseModel):
    """A prompt as the server reads it."""

    count: int
    max_model_len: int
    tokens: list[int] = []


async def tokenized(base_url: str, api_key: str, asked: Mapping[str, Any]) -> Tokens | None:
    """Tokens of ``{"model", "messages"}`` (the chat template applied) or ``{"model", "prompt"}``.

    None from a server that has no such page.
    """
    address = metrics_address(base_url).removesuffix("metrics") + "tokenize"
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        async with httpx.AsyncClient(timeout=_SECONDS) as client:
            return Tokens.model_validate_json((await client.post(address, json=asked, headers=headers)).content)
    except (httpx.HTTPError, ValidationError):
        return None
