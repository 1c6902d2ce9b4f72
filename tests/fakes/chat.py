"""A ChatModel that answers from a function."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

from kosparse.ports import ChatRequest, never
from kosparse.records import AnswerToken, Completion, Reject


class FakeChatModel:
    """Answers each request with ``answer(request)``: a text, a Completion, or a Reject.

    ``requests`` keeps what was asked, in order. ``out_of_order`` answers the last request first.
    """

    def __init__(
        self,
        answer: Callable[[ChatRequest], str | Completion | Reject],
        *,
        model: str = "fake-model",
        out_of_order: bool = False,
    ) -> None:
        self.model, self.revision, self.quantization = model, "fake-revision", "none"
        self.requests: list[ChatRequest] = []
        self._answer, self._out_of_order = answer, out_of_order

    def complete(
        self, requests: Sequence[ChatRequest], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Completion | Reject]]:
        order = range(len(requests))
        for position in reversed(order) if self._out_of_order else order:
            if stop():
                return
            self.requests.append(requests[position])
            answer = self._answer(requests[position])
            yield position, _completion(answer) if isinstance(answer, str) else answer


def _completion(text: str) -> Completion:
    return Completion(text=text, prompt_tokens=10, completion_tokens=len(text.split()))


def queries_asked(request: ChatRequest) -> list[str]:
    """The numbered queries of a question to the judge."""
    return re.findall(r"^\d+\. (.*)$", request.messages[-1]["content"].split(">>>")[1], re.MULTILINE)


def judged(request: ChatRequest, yes: Callable[[str], float]) -> Completion:
    """One numbered label per query, with the probability that ``yes(query)`` gives to 예."""
    tokens = []
    for number, query in enumerate(queries_asked(request), 1):
        p = yes(query)
        label = {"예": math.log(p), "아니오": math.log(1 - p)}
        tokens += [AnswerToken(text=text, logprobs={text: 0.0}) for text in (str(number), ". ")]
        tokens += [AnswerToken(text=max(label, key=label.__getitem__), logprobs=label)]
        tokens += [AnswerToken(text="\n", logprobs={"\n": 0.0})]
    return Completion(text="".join(token.text for token in tokens), tokens=tokens)
