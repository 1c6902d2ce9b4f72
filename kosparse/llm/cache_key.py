"""The name of an answer: a hash over everything that decides it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from json.encoder import encode_basestring as _quoted
from typing import Any

from kosparse.ports import ChatRequest

_USUAL = {"role", "content"}
_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


class KeyMaker:
    """Names the answers of one model.

    The key is the SHA-256 of ``[model, revision, quantization, {every field of the request}]`` as
    JSON with sorted keys; ``every_token`` is there where it is true, and ``may_shorten`` follows where it
    is given. Requests of one task differ in their last message only, so what surrounds it is prepared once: a
    run of 100,000 resumes without writing and hashing the same instructions 100,000 times.
    """

    def __init__(self, model: str, revision: str, quantization: str) -> None:
        self._start = _canonical([model, revision, quantization])[:-1]
        self._shared_before: Any = None
        self._shared_after: Any = None
        self._hash, self._after = hashlib.sha256(), ""

    def __call__(self, request: ChatRequest) -> str:
        """64 hexadecimal digits."""
        before = (request.every_token, request.json_schema, request.max_tokens, request.messages[:-1])
        if before != self._shared_before:
            self._shared_before, self._hash = before, hashlib.sha256(self._before_last_message(request).encode())
        after = (request.sample, request.seed, request.temperature, request.top_logprobs, request.top_p)
        if after != self._shared_after:
            self._shared_after, self._after = after, _after_last_message(request)
        last = _message(request.messages[-1]) if request.messages else ""
        key = self._hash.copy()
        key.update((last + self._after + request.may_shorten).encode("utf-8", "surrogatepass"))
        return key.hexdigest()

    def _before_last_message(self, request: ChatRequest) -> str:
        told = {"every_token": True} if request.every_token else {}
        fields = _canonical({**told, "json_schema": request.json_schema, "max_tokens": request.max_tokens})[:-1]
        earlier = "".join(_canonical(message) + ", " for message in request.messages[:-1])
        return f'{self._start}, {fields}, "messages": [{earlier}'


def _message(message: Mapping[str, str]) -> str:
    """The message as canonical JSON; the usual one without a round through the general encoder."""
    if message.keys() == _USUAL:
        return f'{{"content": {_quoted(message["content"])}, "role": {_quoted(message["role"])}}}'
    return _canonical(message)


def _after_last_message(request: ChatRequest) -> str:
    fields = {
        "sample": request.sample,
        "seed": request.seed,
        "temperature": request.temperature,
        "top_logprobs": request.top_logprobs,
        "top_p": request.top_p,
    }
    return f"], {_canonical(fields)[1:]}]"
