"""A ChatModel that answers from a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from kosparse.ports import ChatRequest, never
from kosparse.records import Completion, Reject


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
