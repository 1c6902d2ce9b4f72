"""A chat model behind an OpenAI-compatible address: vLLM, OpenAI, any."""

from __future__ import annotations

import asyncio
import itertools
import queue
import random
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import openai

from kosparse.errors import ServiceError
from kosparse.ports import ChatRequest, LlmEndpoint, never
from kosparse.records import Completion, Reject

_ATTEMPTS = 5
_LONGEST_WAIT = 30.0
_REFUSALS = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)
_END = None

Answer = tuple[int, Completion | Reject]


class OpenAiChatModel:
    """Answers requests over HTTP, ``concurrency`` of them in flight.

    Time-outs, resets, 429 (honouring Retry-After), 5xx and empty content are tried again with
    jittered, growing waits; what keeps failing becomes a Reject. An address that cannot be reached,
    a wrong key or an unknown model raise ServiceError.

    Args:
        endpoint: Address, model name and key.
        revision: Recorded with every answer's cache key.
        quantization: Effective weight precision, likewise.
        concurrency: Requests in flight, >= 1.
        timeout: Seconds for one answer.
        wait: First wait before trying again, in seconds; doubled each time.
    """

    def __init__(
        self,
        endpoint: LlmEndpoint,
        *,
        revision: str = "",
        quantization: str = "",
        concurrency: int = 8,
        timeout: float = 600.0,
        wait: float = 1.0,
    ) -> None:
        self.model, self.revision, self.quantization = endpoint.model, revision, quantization
        self.concurrency = concurrency
        self._endpoint, self._timeout, self._wait = endpoint, timeout, wait

    def complete(self, requests: Sequence[ChatRequest], *, stop: Callable[[], bool] = never) -> Iterator[Answer]:
        """See ``ports.ChatModel.complete``."""
        answers: queue.Queue[Answer | BaseException | None] = queue.Queue()
        abandoned = threading.Event()
        thread = threading.Thread(target=self._run, args=(requests, stop, abandoned, answers), daemon=True)
        thread.start()
        try:
            while (answer := answers.get()) is not _END:
                if isinstance(answer, BaseException):
                    raise answer
                yield answer
        finally:
            abandoned.set()
            thread.join()

    def _run(
        self,
        requests: Sequence[ChatRequest],
        stop: Callable[[], bool],
        abandoned: threading.Event,
        answers: queue.Queue[Any],
    ) -> None:
        try:
            asyncio.run(_unless(abandoned, self._answer_all(requests, stop, answers)))
        except BaseException as error:
            answers.put(error)
        finally:
            answers.put(_END)

    async def _answer_all(
        self, requests: Sequence[ChatRequest], stop: Callable[[], bool], answers: queue.Queue[Any]
    ) -> None:
        positions = itertools.count()
        async with openai.AsyncOpenAI(
            base_url=self._endpoint.base_url,
            api_key=self._endpoint.api_key or "none",
            timeout=self._timeout,
            max_retries=0,
        ) as client:

            async def work() -> None:
                for position in positions:
                    if position >= len(requests) or stop():
                        return
                    answers.put((position, await self._answer(client, requests[position])))

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.concurrency, len(requests))):
                        group.create_task(work())
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None

    async def _answer(self, client: openai.AsyncOpenAI, request: ChatRequest) -> Completion | Reject:
        reason, detail = "", ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(min(self._wait * 2 ** (attempt - 1), _LONGEST_WAIT) * random.uniform(0.5, 1.5))
            try:
                response = await client.chat.completions.create(**_arguments(self.model, request))
                completion = _completion(response)
                if completion is not None:
                    return completion
                reason, detail = "empty_answer", "the content was null or empty"
            except _REFUSALS as error:
                raise self._refused(error) from error
            except openai.BadRequestError as error:
                return Reject(stage="llm", reason="refused_request", detail=str(error)[:300])
            except openai.RateLimitError as error:
                reason, detail = "rate_limit", str(error)[:300]
                await asyncio.sleep(_retry_after(error))
            except openai.APITimeoutError:
                reason, detail = "timeout", f"no answer within {self._timeout:g} s"
            except openai.APIConnectionError as error:
                reason, detail = "connection", str(error.__cause__ or error)[:300]
            except (openai.APIError, AttributeError, ValueError, TypeError) as error:
                # A proxy that answers HTML reaches us as a string or as a body that cannot be read.
                reason, detail = "bad_answer", f"{type(error).__name__}: {error}"[:300]
        if reason == "connection":
            raise ServiceError(
                f"the language model cannot be reached: {detail}",
                where=self._endpoint.base_url,
                fix="Check LLM_BASE_URL and that the server runs; answers given so far are kept.",
            )
        return Reject(stage="llm", reason=reason, detail=detail)

    def _refused(self, error: openai.APIStatusError) -> ServiceError:
        fixes = {401: "Check LLM_API_KEY.", 403: "Check LLM_API_KEY.", 404: "Check LLM_BASE_URL and LLM_MODEL."}
        return ServiceError(
            f"the language model server refuses us ({error.status_code}): {error.message[:200]}",
            where=f"{self._endpoint.base_url}, model {self.model!r}",
            fix=fixes.get(error.status_code, "See the server's log."),
        )


async def _unless(abandoned: threading.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, but drop what is in flight as soon as nobody waits for it any more."""
    task = asyncio.ensure_future(work)
    while not task.done():
        if abandoned.is_set():
            task.cancel()
        await asyncio.wait({task}, timeout=0.1)
    await task


def _arguments(model: str, request: ChatRequest) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": model,
        "messages": list(request.messages),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed + request.sample,
    }
    if request.json_schema is not None:
        schema = {"name": "answer", "schema": dict(request.json_schema), "strict": True}
        arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.top_logprobs:
        arguments |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    return arguments


def _completion(response: Any) -> Completion | None:
    """The answer, or None when there is nothing in it. Reasoning is never taken for the answer."""
    choice = response.choices[0]
    if not choice.message.content:
        return None
    tokens = choice.logprobs.content if choice.logprobs and choice.logprobs.content else []
    first = {option.token: option.logprob for option in tokens[0].top_logprobs} if tokens else {}
    usage = response.usage
    return Completion(
        text=choice.message.content,
        finish_reason=choice.finish_reason or "stop",
        prompt_tokens=usage.prompt_tokens if usage else 0,
        completion_tokens=usage.completion_tokens if usage else 0,
        first_token_logprobs=first,
    )


def _retry_after(error: openai.APIStatusError) -> float:
    """Seconds the server asks us to wait, at most a minute; 0 when it does not say."""
    try:
        return min(float(error.response.headers.get("retry-after", 0)), 60.0)
    except ValueError:
        return 0.0
