"""Ask a language model many things within a time budget."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kosparse import progress
from kosparse.ports import ChatModel, ChatRequest
from kosparse.records import Completion, Reject

Answer = Completion | Reject | None
"""None: not asked, the budget ran out."""


def ask(
    model: ChatModel, requests: Sequence[ChatRequest], *, what: str, budget_seconds: float, at_least: int = 0
) -> list[Answer]:
    """Answer the requests in their order, sending no new one once the budget is spent.

    Requests in flight when it runs out are still waited for, and cached answers are given whatever
    the budget says: they cost none. The counts of calls, cached answers and tokens go to the events
    file as one ``llm`` event.

    Args:
        model: Whom to ask.
        requests: Most wanted first.
        what: Shown beside the progress bar.
        budget_seconds: Wall time, > 0.
        at_least: This many are answered whatever the budget says.

    Returns:
        One answer per request. A Completion with ``finish_reason`` "length" was cut off at ``max_tokens``.

    Raises:
        ServiceError: The service is dead or refuses us. What was answered before is in the cache.
    """
    answers: list[Answer] = [None] * len(requests)
    deadline = time.monotonic() + budget_seconds
    bar = progress.Bar(what, len(requests), "requests")
    for position, answer in model.complete(
        requests, stop=lambda: bar.done >= at_least and time.monotonic() >= deadline
    ):
        answers[position] = answer
        bar.advance()
    bar.close()
    progress.emit("llm", what=what, **usage(answers))
    return answers


def usage(answers: Sequence[Answer]) -> dict[str, int]:
    """What the answers cost: requests answered, those of them from the cache, failures, fresh tokens."""
    done = [answer for answer in answers if isinstance(answer, Completion)]
    fresh = [completion for completion in done if not completion.cached]
    failed = sum(isinstance(answer, Reject) for answer in answers)
    return {
        "calls": len(done) + failed,
        "cached": len(done) - len(fresh),
        "failed": failed,
        "prompt_tokens": sum(completion.prompt_tokens for completion in fresh),
        "completion_tokens": sum(completion.completion_tokens for completion in fresh),
    }
