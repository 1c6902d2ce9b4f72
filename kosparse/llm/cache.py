"""A language model that is never asked the same question twice.

The key covers everything that decides an answer (see ``cache_key``). Raw completions are kept, parsed rows are
not, so a better parser reads old answers. Failures are never kept. Each answer is committed as it
arrives: a killed process repeats nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from kosparse.llm.cache_key import KeyMaker
from kosparse.llm.responses import Response, Responses
from kosparse.llm.segments import Segments
from kosparse.ports import ChatModel, ChatRequest, MeasuresPrefixCache, never
from kosparse.records import Completion, Reject

_LOOKED_UP_AT_ONCE = 1000


class CachedChatModel:
    """A chat model that looks its answers up first. Safe with several processes on one disk.

    Args:
        inner: Whom to ask what is not there.
        path: SQLite file of answers, on a local disk.
        segments: Shares them with other machines; None keeps them here.
    """

    def __init__(self, inner: ChatModel, path: Path, *, segments: Segments | None = None) -> None:
        self.inner, self.path = inner, path
        self.model, self.revision, self.quantization = inner.model, inner.revision, inner.quantization
        self.key = KeyMaker(self.model, self.revision, self.quantization)
        self._responses, self._segments = Responses(path), segments

    @property
    def prefix_queries(self) -> float:
        """See ``ports.MeasuresPrefixCache``."""
        return self.inner.prefix_queries if isinstance(self.inner, MeasuresPrefixCache) else 0.0

    @property
    def prefix_hits(self) -> float:
        """See ``ports.MeasuresPrefixCache``."""
        return self.inner.prefix_hits if isinstance(self.inner, MeasuresPrefixCache) else 0.0

    def complete(
        self, requests: Sequence[ChatRequest], *, stop: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Completion | Reject]]:
        """Yield cached answers first, then those of the inner model, storing each as it comes.

        Equal requests are asked once; the others of them count as cached.

        Raises:
            ResourceError: The cache cannot be read or written.
        """
        if self._segments is not None:
            self._segments.start()
        missing: dict[str, list[int]] = {}
        for start in range(0, len(requests), _LOOKED_UP_AT_ONCE):
            yield from self._look_up(requests[start : start + _LOOKED_UP_AT_ONCE], start, missing)
        keys = list(missing)
        for place, answer in self.inner.complete([requests[missing[key][0]] for key in keys], stop=stop):
            first, *equal = missing[keys[place]]
            if isinstance(answer, Completion):
                self._keep(keys[place], answer)
            yield first, answer
            again = answer.model_copy(update={"cached": True}) if isinstance(answer, Completion) else answer
            yield from ((position, again) for position in equal)

    def _look_up(
        self, requests: Sequence[ChatRequest], start: int, missing: dict[str, list[int]]
    ) -> Iterator[tuple[int, Completion]]:
        """Yield the answers that are there; put the positions of the others into ``missing``, by key."""
        keys = [self.key(request) for request in requests]
        found = self._responses.get(keys)
        for position, key in enumerate(keys, start):
            answer = _read(found[key]) if key in found else None
            if answer is None:
                missing.setdefault(key, []).append(position)
            else:
                yield position, answer

    def _keep(self, key: str, completion: Completion) -> None:
        text = completion.model_dump_json(exclude={"cached"}, exclude_defaults=True)
        self._responses.put(Response(key, self.model, text, time.time()), unsent=self._segments is not None)


def _read(text: str) -> Completion | None:
    """The stored answer, marked as cached; None for one this version cannot read, which is asked again."""
    try:
        return Completion.model_validate_json('{"cached":true,' + text[1:])
    except ValidationError:
        return None
