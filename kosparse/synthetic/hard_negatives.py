"""Written hard negatives: passages that look like an answer and are not, labelled by how they fail.

They are kept apart from mined ones and can be switched off: in the published comparisons mined negatives
did better (2504.21015 v3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kosparse import prompts
from kosparse.config import GenerateHardNegativesConfig
from kosparse.corpus.text import query_key
from kosparse.ports import ChatModel, ChatRequest
from kosparse.prompts import Prompt
from kosparse.records import NegativeDoc, Pair, Passage, Reject
from kosparse.synthetic.documents import check_body
from kosparse.synthetic.passages import excerpt
from kosparse.synthetic.writer import (
    Unusable,
    Writer,
    Written,
    as_chat_model,
    read_field,
    read_object,
    stable_id,
    write,
)

STAGE = "generate_hard_negatives"


@dataclass(frozen=True)
class Task:
    """One request: a passage that fails to answer a pair's query in one way."""

    pair: Pair
    passage: Passage
    error_type: str


def generate_hard_negatives(
    pairs: Sequence[Pair],
    passages: Sequence[Passage],
    model: ChatModel | None = None,
    *,
    llm_model: Any = None,
    llm_tokenizer: Any = None,
    config: GenerateHardNegativesConfig | None = None,
) -> Written[NegativeDoc]:
    """Write one hard negative per pair.

    Args:
        pairs: Queries with the passages that answer them.
        passages: Must hold every pair's passage.
        model: Any chat model; or give ``llm_model`` and ``llm_tokenizer``.
        llm_model: A transformers model, used in this process.
        llm_tokenizer: Its tokenizer.
        config: Sampling, error types, length of the excerpt.

    Returns:
        Negatives of kind "llm" with their ``error_type``.
    """
    config = config or GenerateHardNegativesConfig()
    writer = Writer.from_config(as_chat_model(model, llm_model, llm_tokenizer), config, budget_seconds=float("inf"))
    return write_negatives(pairs, {passage.id: passage for passage in passages}, writer, config)


def write_negatives(
    pairs: Sequence[Pair], passages: Mapping[str, Passage], writer: Writer, config: GenerateHardNegativesConfig
) -> Written[NegativeDoc]:
    """Write one negative per pair, the error types taken in turn."""
    prompt = prompts.load("generate_hard_negatives")
    kinds = config.error_types
    tasks = [Task(pair, passages[pair.passage_id], kinds[turn % len(kinds)]) for turn, pair in enumerate(pairs)]
    return write(
        writer,
        tasks,
        lambda task: request(task, writer, prompt, config.excerpt_characters),
        lambda task, text: parse(task, text, writer, prompt),
        where=lambda task: task.pair.id,
        stage=STAGE,
    )


def request(task: Task, writer: Writer, prompt: Prompt, characters: int) -> ChatRequest:
    """Ask for one passage that fails to answer."""
    return writer.request(
        prompt, query=task.pair.query, passage=excerpt(task.passage, characters), error=task.error_type
    )


def parse(task: Task, text: str, writer: Writer, prompt: Prompt) -> list[NegativeDoc | Reject]:
    """Read one written negative.

    Raises:
        Unusable: Not JSON, empty, hardly Korean, the query said back, or the right passage itself.
    """
    body = read_field(read_object(text), "passage")
    check_body(body, task.pair.query)
    if query_key(body) in query_key(task.passage.text):
        raise Unusable("copies_answer", body[:200])
    key = stable_id(task.pair.id, STAGE, task.error_type)
    negative = NegativeDoc(
        pair_id=task.pair.id,
        passage_id=f"synthetic/{key}#0",
        kind="llm",
        text=body,
        error_type=task.error_type,
        provenance=writer.provenance(prompt),
    )
    return [negative]
