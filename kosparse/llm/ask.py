"""Ask a language model many things within a time budget."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kosparse import progress
from kosparse.llm.accounting import Answer, Meter
from kosparse.ports import ChatModel, ChatRequest

__all__ = ["Answer", "ask"]


def ask(
    model: ChatModel,
    requests: Sequence[ChatRequest],
    *,
    what: str,
    budget_seconds: float,
    at_least: int = 0,
) -> list[Answer]:
    """Answer the requests in their order, sending no new one once the budget is spent.

    Requests in flight when it runs out are still waited for, and cached answers are given whatever
    the budget says: they cost none. What it cost goes to the events file as one ``llm`` event (see
    ``accounting.Meter.report``).

    Args:
        model: Whom to ask.
        requests: Most wanted first.
        what: Shown beside the progress bar.
        budget_seconds: Wall time, > 0.
        at_least: This many are answered whatever the budget says.

    Returns:
        One answer per request; None for those not asked. A Completion with ``finish_reason`` "length" was
        cut off at ``max_tokens``.

    Raises:
        ServiceError: The service is dead or refuses us. What was answered before is in the cache.
    """
    answers: list[Answer] = [None] * len(requests)
    started = time.monotonic()
    meter, bar = Meter(model), progress.Bar(what, len(requests), "requests")

    def stop() -> bool:
        return bar.done >= at_least and time.monotonic() >= started + budget_seconds

    for position, answer in model.complete(requests, stop=stop):
        answers[position] = answer
        bar.advance()
    bar.close()
    progress.emit("llm", what=what, **meter.report(answers, time.monotonic() - started))
    return answers
