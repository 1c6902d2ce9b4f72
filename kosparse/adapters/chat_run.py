"""Ask one server many questions at once, and take nothing it answers on trust."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import openai

from kosparse.adapters.chat_begun import begun_answer
from kosparse.adapters.chat_repair import Server, improve, shorten_draft
from kosparse.adapters.chat_wire import Draft, arguments, completion, retry_after
from kosparse.errors import ServiceError
from kosparse.llm.pace import Pace
from kosparse.llm.shorten import is_too_long
from kosparse.ports import ChatRequest
from kosparse.records import Completion, Reject

ATTEMPTS = 5
_ATTEMPTS_AFTER_TIMEOUT = 2
"""Time-outs are long: a question that runs into two of them is given up."""
_LOST_IN_A_ROW = 5
"""Requests given up with no answer to anyone in between: then it is the service that is broken."""
_LONGEST_WAIT = 30.0
_SECONDS_FOR_A_SIGN_OF_LIFE = 10.0
_KEY_OR_ADDRESS = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)
_BUSY = {429: "rate_limit", 503: "overloaded", 529: "overloaded"}
_WORTH_ANOTHER_TRY = (408, 409, 425)


class Trouble(Exception):
    """An attempt that failed and may be repeated."""

    def __init__(self, reason: str, detail: str, wait: float = 0.0) -> None:
        self.reason, self.detail, self.wait = reason, detail[:300], wait
        super().__init__(reason)


@dataclass
class Task:
    """One question on its way."""

    position: int
    draft: Draft
    tries: int = 0
    refusals: int = 0
    """Times in a row that the server was too busy, nobody being answered in between."""
    answered_before: int = 0
    """How many answers there had been when it was last sent for the first time, or refused."""


@dataclass
class Run:
    """One call of ``OpenAiChatModel.complete``, inside an event loop.

    Args:
        client: Without retries of its own.
        server: What is known of it.
        requests: What to ask.
        stop: Once true, nothing new is sent and nothing is sent again.
        give: Takes every answer as it comes.
        pace: How many may be in flight.
        timeout: Seconds for one answer.
        wait: First wait before trying again, in seconds; doubled each time.
        effort: Reasoning effort; empty says nothing of it.
    """

    client: openai.AsyncOpenAI
    server: Server
    requests: Sequence[ChatRequest]
    stop: Callable[[], bool]
    give: Callable[[int, Completion | Reject], None]
    pace: Pace
    timeout: float
    wait: float
    effort: str = ""
    tasks: deque[Task] = field(init=False)
    answered: int = 0
    lost_in_a_row: int = 0

    async def answer_all(self) -> None:
        """Return when every request is answered or rejected, or ``stop`` says so.

        Raises:
            ServiceError: The service is dead or refuses us.
        """
        self.tasks = deque(Task(position, Draft(request)) for position, request in enumerate(self.requests))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.pace.most, len(self.tasks))):
                    group.create_task(self._work())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _work(self) -> None:
        while self.tasks:
            cuts = await self.pace.enter()
            try:
                if not self.tasks or self.stop():
                    return
                await self._settle(self.tasks.popleft(), cuts)
            finally:
                self.pace.leave()

    async def _settle(self, task: Task, cuts: int) -> None:
        """Try until there is an answer or a reject, or the server is too busy: then the task goes back in line."""
        if task.refusals == 0:
            task.answered_before = self.answered
        while True:
            try:
                answer = await self._try(task)
            except Trouble as trouble:
                if trouble.reason in _BUSY.values():
                    self._back_in_line(task, trouble, cuts)
                    return
                task.tries += 1
                if task.tries >= _attempts(trouble) or self.stop():
                    self._give_up(task, trouble)
                    return
                await asyncio.sleep(max(self._backoff(task.tries), trouble.wait))
            else:
                self.give(task.position, answer)
                return

    async def _try(self, task: Task) -> Completion | Reject:
        """Send once; a reject is final. Sends again at once where a changed request helps."""
        while True:
            sent_with_grammar = self.server.holds_schemas
            try:
                answer = await self._send(task.draft, sent_with_grammar)
            except openai.APIStatusError as error:
                if isinstance(error, _KEY_OR_ADDRESS):
                    raise self._refused(error) from error
                if error.status_code >= 500 or error.status_code in (429, *_WORTH_ANOTHER_TRY):
                    raise Trouble(_BUSY.get(error.status_code, "bad_answer"), str(error), retry_after(error)) from error
                reject = await self._refused_request(task, error, sent_with_grammar)
                if reject is not None:
                    return reject
                continue
            except openai.APITimeoutError as error:
                await self._demand_sign_of_life(task)
                raise Trouble("timeout", f"no answer within {self.timeout:g} s") from error
            except openai.APIConnectionError as error:
                raise Trouble("connection", str(error.__cause__ or error)) from error
            except (openai.APIError, AttributeError, IndexError, ValueError, TypeError) as error:
                # A proxy that answers HTML reaches us as a string, a cut body as one that cannot be read.
                raise Trouble("bad_answer", f"{type(error).__name__}: {error}") from error
            self.answered += 1
            self.lost_in_a_row = 0
            self.pace.answered()
            flaw = improve(task.draft, answer, self.server, sent_with_grammar)
            if flaw and self.stop():
                return answer if answer.text else Reject(stage="llm", reason="empty_answer", detail=flaw)
            if flaw and not answer.text:
                raise Trouble("empty_answer", flaw)
            if not flaw:
                return answer

    async def _send(self, draft: Draft, grammar: bool) -> Completion:
        if draft.request.top_logprobs and self.server.thinks_first:
            return await begun_answer(self.client, self.server, draft)
        sent = arguments(self.server.model, draft, grammar=grammar, effort=self.effort)
        return completion(await self.client.chat.completions.create(**sent), draft)

    async def _refused_request(
        self, task: Task, error: openai.APIStatusError, sent_with_grammar: bool
    ) -> Reject | None:
        """A reject, or None when the request was changed and is worth sending again."""
        if sent_with_grammar and task.draft.request.json_schema is not None and self.server.refuses_schemas(str(error)):
            return None
        if await shorten_draft(task.draft, str(error), self.server):
            return None
        reason = "too_long" if is_too_long(str(error)) else "refused_request"
        return Reject(stage="llm", reason=reason, detail=str(error)[:300])

    def _back_in_line(self, task: Task, trouble: Trouble, cuts: int) -> None:
        """Ask it again later. Only refusals with no answer to anyone in between count against it."""
        if self.answered > task.answered_before:
            task.answered_before, task.refusals = self.answered, 0
        task.refusals += 1
        self.pace.refused(cuts, max(trouble.wait, self._backoff(task.refusals)))
        if task.refusals < ATTEMPTS:
            self.tasks.appendleft(task)
        else:
            self._give_up(task, trouble)

    def _give_up(self, task: Task, trouble: Trouble) -> None:
        if trouble.reason == "connection" and self.answered == task.answered_before:
            raise ServiceError(
                f"the language model cannot be reached: {trouble.detail}",
                where=self.server.base_url,
                fix="Check LLM_BASE_URL and that the server runs; answers given so far are kept.",
            )
        self.give(task.position, Reject(stage="llm", reason=trouble.reason, detail=trouble.detail))
        if trouble.reason != "empty_answer":
            self.lost_in_a_row += 1
        if self.lost_in_a_row >= _LOST_IN_A_ROW:
            raise ServiceError(
                f"{self.lost_in_a_row} requests in a row failed, the last with {trouble.reason}: {trouble.detail}",
                where=f"{self.server.base_url}, model {self.server.model!r}",
                fix="See the server's log, and check LLM_BASE_URL; answers given so far are kept.",
            )

    async def _demand_sign_of_life(self, task: Task) -> None:
        """After a time-out with no answer to anyone: does the server say anything at all?"""
        if self.answered > task.answered_before:
            return
        try:
            await self.client.models.list(timeout=min(self.timeout, _SECONDS_FOR_A_SIGN_OF_LIFE))
        except (openai.APITimeoutError, openai.APIConnectionError) as error:
            raise ServiceError(
                f"the language model server takes connections but answers nothing, not even /models, within "
                f"{self.timeout:g} s",
                where=self.server.base_url,
                fix="Restart it, or check that LLM_BASE_URL is its address; answers given so far are kept.",
            ) from error
        except openai.APIError:
            return  # it speaks, whatever it says

    def _backoff(self, tries: int) -> float:
        """Seconds to wait after so many failures: doubled each time, half to one and a half of it at random."""
        return min(self.wait * 2.0 ** (tries - 1), _LONGEST_WAIT) * random.uniform(0.5, 1.5)

    def _refused(self, error: openai.APIStatusError) -> ServiceError:
        fixes = {401: "Check LLM_API_KEY.", 403: "Check LLM_API_KEY.", 404: "Check LLM_BASE_URL and LLM_MODEL."}
        return ServiceError(
            f"the language model server refuses us ({error.status_code}): {error.message[:200]}",
            where=f"{self.server.base_url}, model {self.server.model!r}",
            fix=fixes[error.status_code],
        )


def _attempts(trouble: Trouble) -> int:
    return _ATTEMPTS_AFTER_TIMEOUT if trouble.reason == "timeout" else ATTEMPTS
