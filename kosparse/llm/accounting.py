"""What answers cost: requests, tokens, money, and how much of it caches saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kosparse.ports import ChatModel, MeasuresPrefixCache
from kosparse.records import Completion, Reject
from kosparse.settings import settings

Answer = Completion | Reject | None
"""None: not asked, the budget ran out."""

SPENT = ("calls", "cached", "prompt_tokens", "completion_tokens", "cost")
_spent: Counter[str] = Counter()


def spent() -> dict[str, float]:
    """What this process has asked so far: ``SPENT``, the first four of ``usage``, ``cost`` where prices are set."""
    return dict(_spent)


@dataclass(frozen=True)
class Prices:
    """Money per million tokens, in whatever currency the settings are."""

    input: float = 0.0
    output: float = 0.0

    @classmethod
    def from_settings(cls) -> Prices:
        """``LLM_PRICE_INPUT`` and ``LLM_PRICE_OUTPUT``."""
        current = settings()
        return cls(current.llm_price_input, current.llm_price_output)

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Money for so many tokens.

        >>> Prices(input=0.5, output=2.0).cost(2_000_000, 500_000)
        2.0
        """
        return (self.input * prompt_tokens + self.output * completion_tokens) / 1e6


def usage(answers: Sequence[Answer]) -> dict[str, int]:
    """What the answers cost: requests answered, those of them from the cache, failures, fresh tokens."""
    done = [answer for answer in answers if isinstance(answer, Completion)]
    fresh = [completion for completion in done if not completion.cached]
    failed = sum(isinstance(answer, Reject) for answer in answers)
    return {
        "calls": len(done) + failed,
        "cached": len(done) - len(fresh),
        "failed": failed,
        "shortened": sum(completion.shortened_by > 0 for completion in done),
        "prompt_tokens": sum(completion.prompt_tokens for completion in fresh),
        "completion_tokens": sum(completion.completion_tokens for completion in fresh),
    }


class Meter:
    """Accounts for one round of questions, from its making to ``report``."""

    def __init__(self, model: ChatModel) -> None:
        self._model, self._before = model, _prefix_counts(model)

    def report(self, answers: Sequence[Answer], seconds: float) -> dict[str, float]:
        """The fields of the ``llm`` event.

        Those of ``usage``; ``seconds`` of wall time; ``cost`` when prices are set; ``prefix_queries`` and
        ``prefix_hits`` (prompt tokens) where the server tells. Of fresh answers alone, and no sums:
        ``requests_per_second``, ``tokens_per_second`` (written ones), ``prefix_hit_rate`` (0 to 1).
        """
        used = usage(answers)
        fields: dict[str, float] = {**used, "seconds": round(seconds, 3)}
        prices = Prices.from_settings()
        if prices != Prices():
            fields["cost"] = round(prices.cost(used["prompt_tokens"], used["completion_tokens"]), 6)
        _spent.update({name: fields[name] for name in SPENT if fields.get(name)})
        fresh = used["calls"] - used["cached"]
        if fresh and seconds > 0:
            fields["requests_per_second"] = round(fresh / seconds, 3)
            fields["tokens_per_second"] = round(used["completion_tokens"] / seconds, 3)
        queries, hits = (now - then for now, then in zip(_prefix_counts(self._model), self._before, strict=True))
        if queries > 0:
            fields |= {"prefix_queries": queries, "prefix_hits": hits, "prefix_hit_rate": round(hits / queries, 4)}
        return fields


def _prefix_counts(model: ChatModel) -> tuple[float, float]:
    if isinstance(model, MeasuresPrefixCache):
        return model.prefix_queries, model.prefix_hits
    return 0.0, 0.0
