"""Our requests and answers in the words of the OpenAI protocol."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import openai

from kosparse.ports import ChatRequest
from kosparse.records import AnswerToken, Completion

_LONGEST_RETRY_AFTER = 60.0
_SEEDS_APART = 7919
"""Another draw of the same question must not be the next sample's."""


@dataclass
class Draft:
    """A request as it is sent: what went wrong before changes it."""

    request: ChatRequest
    draw: int = 0
    """How many answers were of no use: another seed, so that a deterministic server gives another one."""
    room: int = 1
    """Times ``max_tokens``: an answer that was cut off gets more."""
    stretch: str | None = None
    """What is left of ``may_shorten``; None while it is whole."""

    @property
    def max_tokens(self) -> int:
        """Room for the answer."""
        return self.request.max_tokens * self.room

    @property
    def shortened_by(self) -> int:
        """Characters left out."""
        return 0 if self.stretch is None else len(self.request.may_shorten) - len(self.stretch)

    @property
    def characters(self) -> int:
        """Of all messages."""
        return sum(len(message["content"]) for message in self.messages)

    @property
    def messages(self) -> list[dict[str, str]]:
        """The chat, the last message shortened."""
        *earlier, last = self.request.messages
        if self.stretch is not None:
            last = last | {"content": last["content"].replace(self.request.may_shorten, self.stretch, 1)}
        return [*earlier, last]


def seed(draft: Draft) -> int:
    """Another one for each sample, and for each answer that was of no use."""
    return draft.request.seed + draft.request.sample + _SEEDS_APART * draft.draw


def arguments(model: str, draft: Draft, *, grammar: bool, effort: str = "") -> dict[str, Any]:
    """What is sent. Without ``grammar`` the server cannot be held to a schema: it is written into the prompt."""
    request = draft.request
    sent: dict[str, Any] = {
        "model": model,
        "messages": draft.messages,
        "max_tokens": draft.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": seed(draft),
    }
    if effort:
        sent["reasoning_effort"] = effort
    if request.json_schema is not None and grammar:
        schema = {"name": "answer", "schema": dict(request.json_schema), "strict": True}
        sent["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.json_schema is not None:
        sent["messages"] = _with_schema(draft.messages, request.json_schema)
    if request.top_logprobs:
        sent |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    return sent


def _with_schema(messages: list[dict[str, str]], schema: Mapping[str, Any]) -> list[dict[str, str]]:
    """The schema as the end of the system message, where all requests of a task share it."""
    text = f"Answer with JSON only, of this schema: {json.dumps(schema, ensure_ascii=False)}"
    if messages[0]["role"] == "system":
        return [messages[0] | {"content": f"{messages[0]['content']}\n\n{text}"}, *messages[1:]]
    return [{"role": "system", "content": text}, *messages]


def completion(response: Any, draft: Draft) -> Completion:
    """The answer to a draft; its text is empty when there is none. Reasoning is never taken for the answer.

    Raises:
        AttributeError, IndexError, TypeError, ValueError: The response is not one of this protocol.
    """
    choice = response.choices[0]
    tokens = choice.logprobs.content if choice.logprobs and choice.logprobs.content else []
    alternatives = [{option.token: option.logprob for option in token.top_logprobs} for token in tokens]
    usage = response.usage
    return Completion(
        text=choice.message.content or "",
        finish_reason=choice.finish_reason or "stop",
        prompt_tokens=usage.prompt_tokens if usage else 0,
        completion_tokens=usage.completion_tokens if usage else 0,
        first_token_logprobs=alternatives[0] if alternatives else {},
        tokens=answer_tokens(draft.request, [token.token for token in tokens], alternatives),
        shortened_by=draft.shortened_by,
    )


def answer_tokens(
    request: ChatRequest, texts: Sequence[str], alternatives: Sequence[dict[str, float]]
) -> list[AnswerToken]:
    """Every token with its alternatives, where the request asks for them."""
    if not request.every_token:
        return []
    return [AnswerToken(text=text, logprobs=told) for text, told in zip(texts, alternatives, strict=True)]


def retry_after(error: openai.APIStatusError) -> float:
    """Seconds the server asks us to wait, at most a minute; 0 when it does not say.

    Understands ``Retry-After`` in seconds and as a date, and ``retry-after-ms``.
    """
    headers = error.response.headers
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            seconds = float(headers.get("retry-after", 0))
    except ValueError:
        seconds = _until(headers.get("retry-after", ""))
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def _until(date: str) -> float:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return 0.0
