"""Document to query: what would people type who would be glad to find this passage?

InPars (2202.05144) and Promptagator (2209.11755), with several query types in one answer, since several
beat any one (CADET, 2505.19274).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kosparse import prompts
from kosparse.config import GenerateQueriesConfig
from kosparse.errors import ConfigError
from kosparse.ports import ChatModel, ChatRequest
from kosparse.prompts import Prompt
from kosparse.records import Document, Pair, Passage, Reject
from kosparse.synthetic.passages import as_passages, askable, by_document, excerpt
from kosparse.synthetic.writer import (
    Unusable,
    Writer,
    Written,
    as_chat_model,
    evenly,
    read_field,
    read_object,
    stable_id,
    stable_number,
    write,
)

STAGE = "generate_queries"


@dataclass(frozen=True)
class Draw:
    """One request: queries of some types for one passage."""

    passage: Passage
    types: tuple[str, ...]
    sample: int = 0


def generate_queries_from_documents(
    documents: Iterable[Document | Passage | str],
    model: ChatModel | None = None,
    *,
    num_queries_per_doc: int = 3,
    llm_model: Any = None,
    llm_tokenizer: Any = None,
    config: GenerateQueriesConfig | None = None,
) -> Written[Pair]:
    """Write queries for documents.

    Args:
        documents: Texts, documents (long ones are cut into passages, and each request takes another of
            them) or passages.
        model: Any chat model; or give ``llm_model`` and ``llm_tokenizer`` as ``load_llm_model`` returns them.
        num_queries_per_doc: Queries per document, >= 1.
        llm_model: A transformers model, used in this process.
        llm_tokenizer: Its tokenizer.
        config: Sampling, query types, length of the excerpt; ``budget_seconds`` and ``at_least`` are not used here.

    Returns:
        Pairs with ``origin`` "document_to_query", rejects, and how many requests were answered.
    """
    config = config or GenerateQueriesConfig()
    writer = Writer.from_config(as_chat_model(model, llm_model, llm_tokenizer), config, budget_seconds=float("inf"))
    return write_queries(by_document(as_passages(documents)), writer, config, per_group=num_queries_per_doc)


def write_queries(
    groups: Sequence[Sequence[Passage]], writer: Writer, config: GenerateQueriesConfig, per_group: int
) -> Written[Pair]:
    """Write ``per_group`` queries for each group of passages (a document, or a passage alone)."""
    prompt = prompts.load("generate_queries")
    groups = [kept for group in groups if (kept := [passage for passage in group if askable(passage)])]
    return write(
        writer,
        draws(groups, per_group, config.query_types),
        lambda draw: request(draw, writer, prompt, config.excerpt_characters),
        lambda draw, text: parse(draw, text, writer, prompt),
        where=lambda draw: draw.passage.id,
        stage=STAGE,
    )


def choose(passages: Sequence[Passage], count: int) -> list[Passage]:
    """At most ``count`` passages with enough Korean in them, evenly over the collection; 0 means all."""
    return evenly([passage for passage in passages if askable(passage)], count)


def draws(groups: Sequence[Sequence[Passage]], count: int, types: Sequence[str]) -> list[Draw]:
    """The requests for ``count`` queries per group; every group's first before any group's second."""
    planned = []
    for sample, begin in enumerate(range(0, count, len(types))):
        wanted = tuple(types[: min(len(types), count - begin)])
        planned += [Draw(_member(group, sample), wanted, sample) for group in groups]
    return planned


def _member(group: Sequence[Passage], sample: int) -> Passage:
    """Take the passages of a document in turn, from one that depends on its id: not always the first."""
    return group[(stable_number("draw", group[0].document_id) + sample) % len(group)]


def request(draw: Draw, writer: Writer, prompt: Prompt, characters: int) -> ChatRequest:
    """Ask for one query per type.

    Raises:
        ConfigError: A query type the prompt does not know.
    """
    schema = _schema(prompt, draw.types)
    return writer.request(prompt, sample=draw.sample, schema=schema, document=excerpt(draw.passage, characters))


def _schema(prompt: Prompt, types: Sequence[str]) -> Mapping[str, Any]:
    """The prompt's answer schema, narrowed to the types wanted."""
    answer = prompt.answer or {}
    known = answer.get("properties", {})
    if unknown := [name for name in types if name not in known]:
        raise ConfigError(
            f"the prompt generate_queries has no query type {unknown[0]!r}",
            where="config of generate_queries: query_types",
            fix=f"Use {', '.join(known)}, or add the type to the prompt's answer.",
        )
    return {**answer, "properties": {name: known[name] for name in types}, "required": list(types)}


def parse(draw: Draw, text: str, writer: Writer, prompt: Prompt) -> list[Pair | Reject]:
    """Read one answer: a pair, or a reject, for each type asked for.

    Raises:
        Unusable: The answer is not a JSON object.
    """
    answer = read_object(text)
    return [_pair(draw, query_type, answer, writer, prompt) for query_type in draw.types]


def _pair(draw: Draw, query_type: str, answer: Mapping[str, Any], writer: Writer, prompt: Prompt) -> Pair | Reject:
    passage = draw.passage
    try:
        query = read_field(answer, query_type)
    except Unusable as error:
        return Reject(stage=STAGE, reason=error.reason, detail=error.detail, where=passage.id, row=dict(answer))
    return Pair(
        id=stable_id(passage.id, STAGE, query_type, draw.sample),
        query=query,
        passage_id=passage.id,
        document_id=passage.document_id,
        origin="document_to_query",
        query_type=query_type,
        provenance=writer.provenance(prompt, draw.sample),
    )
