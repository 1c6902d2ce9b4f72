"""One LLM task is two pure functions, a request and a parse; everything around them is here.

``request(item) -> ChatRequest`` and ``parse(item, text) -> rows and rejects``. ``write`` asks the requests,
parses the answers and counts what was not asked because the time budget ran out.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from kosparse.config import WritingStepConfig
from kosparse.errors import ConfigError
from kosparse.llm.ask import Answer, ask
from kosparse.llm.structured import parse_json
from kosparse.ports import ChatModel, ChatRequest
from kosparse.prompts import Prompt
from kosparse.records import Completion, Provenance, Reject

Item = TypeVar("Item")
Output = TypeVar("Output")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff]+")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
_QUOTES = "\"'“”‘’`「」『』 "


class Unusable(ValueError):
    """An answer, or a part of one, that cannot become a row; ``reason`` is a short stable word."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(reason)


@dataclass(frozen=True)
class Writer:
    """A language model together with everything fixed about how it is asked."""

    model: ChatModel
    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 192
    seed: int = 13
    budget_seconds: float = math.inf
    at_least: int = 0
    described: Mapping[str, Any] = field(default_factory=dict)
    """``serve_llm``'s description: its ``model`` and ``quantization`` go into the provenance."""

    @classmethod
    def from_config(
        cls, model: ChatModel, config: WritingStepConfig, described: Mapping[str, Any] | None = None, **changes: Any
    ) -> Self:
        """Take sampling and budget from a step's config; ``changes`` replace single values."""
        names = ("temperature", "top_p", "max_tokens", "seed", "budget_seconds", "at_least")
        values = {name: getattr(config, name) for name in names}
        return cls(model=model, described=described or {}, **(values | changes))

    def request(
        self, prompt: Prompt, *, sample: int = 0, schema: Mapping[str, Any] | None = None, **variables: Any
    ) -> ChatRequest:
        """Render one question. ``sample`` tells several draws of the same question apart."""
        return ChatRequest(
            messages=prompt.messages(**variables),
            json_schema=prompt.answer if schema is None else schema,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            sample=sample,
        )

    def provenance(self, prompt: Prompt, sample: int = 0) -> Provenance:
        """How a row asked with ``request(prompt, sample=sample)`` came to be."""
        return Provenance(
            prompt=prompt.fingerprint,
            model=str(self.described.get("model") or self.model.model),
            quantization=str(self.described.get("quantization") or self.model.quantization),
            seed=self.seed,
            sample=sample,
        )

    def ask(self, requests: Sequence[ChatRequest], what: str) -> list[Answer]:
        """Ask requests that share a prompt: what they share comes first in each, and a server computes it once."""
        return ask(self.model, requests, what=what, budget_seconds=self.budget_seconds, at_least=self.at_least)


def as_chat_model(model: ChatModel | None, llm_model: Any = None, llm_tokenizer: Any = None) -> ChatModel:
    """The chat model a caller means: one of ours, or the two halves ``load_llm_model`` returns.

    Raises:
        ConfigError: Neither was given.
    """
    if model is not None:
        return model
    if llm_model is None or llm_tokenizer is None:
        raise ConfigError(
            "no language model was given",
            where="arguments model, or llm_model and llm_tokenizer",
            fix="Pass model=<ChatModel>, or llm_model and llm_tokenizer from kosparse.load_llm_model().",
        )
    from kosparse.llm.transformers_chat import TransformersChat

    return TransformersChat(llm_model, llm_tokenizer)


@dataclass
class Written(Generic[Output]):
    """What a task gave."""

    rows: list[Output] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    answered: int = 0
    """Requests the model answered, usable or not."""
    not_asked: int = 0
    """Requests the time budget left out; nothing is known about these."""

    @property
    def counts(self) -> dict[str, float]:
        """The figures as step metrics."""
        return {
            "rows": len(self.rows),
            "rejected": len(self.rejects),
            "answered": self.answered,
            "not_asked": self.not_asked,
        }


def write(
    writer: Writer,
    items: Sequence[Item],
    request: Callable[[Item], ChatRequest],
    parse: Callable[[Item, str], list[Output | Reject]],
    *,
    where: Callable[[Item], str],
    stage: str,
) -> Written[Output]:
    """Ask one request per item, in order of importance, and parse the answers in that order.

    Args:
        writer: The model and its budget.
        items: What to ask about; the first ones are asked first.
        request: Renders one item's question.
        parse: Reads one item's answer; raises ``Unusable`` when all of it is.
        where: An item's id, for rejects.
        stage: Name of the task in rejects and progress.
    """
    requests = [request(item) for item in items]
    answers = writer.ask(requests, stage)
    written: Written[Output] = Written()
    for item, answer in zip(items, answers, strict=True):
        if answer is None:
            written.not_asked += 1
        elif isinstance(answer, Reject):
            written.rejects.append(answer.model_copy(update={"stage": stage, "where": answer.where or where(item)}))
        else:
            written.answered += 1
            _collect(written, item, answer, parse, where(item), stage)
    return written


def _collect(
    written: Written[Output],
    item: Item,
    answer: Completion,
    parse: Callable[[Item, str], list[Output | Reject]],
    where: str,
    stage: str,
) -> None:
    try:
        results = parse(item, answer.text)
    except Unusable as error:
        reason = "cut_off" if answer.finish_reason == "length" else error.reason
        row = {"answer": answer.text[:1000]}
        written.rejects.append(Reject(stage=stage, reason=reason, detail=error.detail, where=where, row=row))
        return
    for result in results:
        (written.rejects if isinstance(result, Reject) else written.rows).append(result)  # type: ignore[arg-type]


def read_object(text: str) -> dict[str, Any]:
    """The JSON object in an answer.

    Raises:
        Unusable: ``empty_answer``, ``not_json`` or ``not_an_object``.
    """
    if not text.strip():
        raise Unusable("empty_answer")
    try:
        value = parse_json(text)
    except ValueError as error:
        raise Unusable("not_json", str(error)) from error
    if not isinstance(value, dict):
        raise Unusable("not_an_object", type(value).__name__)
    return value


def read_field(answer: Mapping[str, Any], name: str) -> str:
    """One text of an answer, cleaned.

    Raises:
        Unusable: ``missing`` when it is not a text or nothing is left of it.
    """
    value = answer.get(name)
    text = clean(value) if isinstance(value, str) else ""
    if not text:
        raise Unusable("missing", name)
    return text


def clean(text: str) -> str:
    """One line of NFC text: no control characters, list bullets, or quotes around the whole.

    >>> clean('1. "셀  보호"')
    '셀 보호'
    """
    text = _CONTROL.sub(" ", unicodedata.normalize("NFC", text))
    text = _BULLET.sub("", " ".join(text.split()))
    inner = text.strip(_QUOTES)
    return inner if text[:1] in _QUOTES and text[-1:] in _QUOTES else text


def stable_id(*parts: object) -> str:
    """16 hexadecimal digits that depend on the parts alone: equal inputs give equal ids."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()[:16]


def stable_number(*parts: object) -> int:
    """A fixed pseudo-random integer >= 0 for the parts."""
    return int(stable_id(*parts), 16)


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """``count`` items spread evenly over the sequence, in order; all of them for 0 or too few.

    >>> evenly("abcdefgh", 4)
    ['a', 'c', 'e', 'g']
    """
    if count == 0 or count >= len(items):
        return list(items)
    return [items[position * len(items) // count] for position in range(count)]
