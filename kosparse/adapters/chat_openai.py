"""A chat model behind an OpenAI-compatible address: vLLM, OpenAI, any."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import openai

from kosparse.adapters.chat_repair import server_of
from kosparse.adapters.chat_run import Run
from kosparse.adapters.server_watch import ServerWatch
from kosparse.llm.pace import Pace
from kosparse.ports import ChatRequest, LlmEndpoint, never
from kosparse.records import Completion, Reject

_END = None
_SECONDS_TO_CONNECT = 10.0

Answer = tuple[int, Completion | Reject]


class OpenAiChatModel:
    """Answers requests over HTTP, at most ``concurrency`` of them in flight, fewer while the server is overrun.

    Time-outs, resets, 429 and 503 (honouring Retry-After), other 5xx, bodies that cannot be read and
    empty content are tried again with jittered, growing waits; what keeps failing becomes a Reject whose
    reason is ``timeout``, ``connection``, ``rate_limit``, ``overloaded``, ``bad_answer``, ``empty_answer``,
    ``too_long`` or ``refused_request``. Structured answers are checked against their schema here, whether
    the server holds to it or not. An address that cannot be reached, a wrong key, an unknown model, and a
    service that answers nobody any more raise ServiceError; answers yielded before are whole.

    Args:
        endpoint: Address, model name and key.
        revision: Recorded with every answer's cache key.
        quantization: Effective weight precision, likewise.
        concurrency: Requests in flight, >= 1.
        timeout: Seconds for one answer.
        wait: First wait before trying again, in seconds; doubled each time.
        reasoning_effort: ``low``, ``medium`` or ``high`` for models that think first; empty says nothing of it.
            Part of what decides an answer, so it is added to ``revision``.
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
        reasoning_effort: str = "",
    ) -> None:
        self.model, self.quantization = endpoint.model, quantization
        self.revision = f"{revision}+{reasoning_effort}" if reasoning_effort else revision
        self.concurrency = concurrency
        self.prefix_queries = self.prefix_hits = 0.0
        self.timeout = timeout
        self._endpoint, self._wait, self._effort = endpoint, wait, reasoning_effort

    def complete(self, requests: Sequence[ChatRequest], *, stop: Callable[[], bool] = never) -> Iterator[Answer]:
        """See ``ports.ChatModel.complete``."""
        if not requests:
            return
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
        pace = Pace(self.concurrency)
        watch = ServerWatch(self._endpoint.base_url, pace)
        async with openai.AsyncOpenAI(
            base_url=self._endpoint.base_url,
            api_key=self._endpoint.api_key or "none",
            timeout=openai.Timeout(self.timeout, connect=min(self.timeout, _SECONDS_TO_CONNECT)),
            max_retries=0,
        ) as client:
            run = Run(
                client=client,
                server=server_of(self._endpoint.base_url, self.model, self._endpoint.api_key),
                requests=requests,
                stop=stop,
                give=lambda position, answer: answers.put((position, answer)),
                pace=pace,
                timeout=self.timeout,
                wait=self._wait,
                effort=self._effort,
            )
            follows = [asyncio.create_task(watch.follow())] if await watch.look() else []
            try:
                await run.answer_all()
            finally:
                for task in follows:
                    task.cancel()
                if follows:
                    await watch.look()
                await watch.close()
        self.prefix_queries += watch.prefix_queries
        self.prefix_hits += watch.prefix_hits


async def _unless(abandoned: threading.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, but drop what is in flight as soon as nobody waits for it any more."""
    task = asyncio.ensure_future(work)
    while not task.done():
        if abandoned.is_set():
            task.cancel()
        await asyncio.wait({task}, timeout=0.1)
    await task
