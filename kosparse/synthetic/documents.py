"""Query to document: passages of several grades of relevance for one query (SyCL, 2503.23239)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from kosparse import prompts
from kosparse.config import GenerateDocumentsConfig
from kosparse.corpus.text import hangul_syllables, query_key
from kosparse.ports import ChatModel, ChatRequest
from kosparse.prompts import Prompt
from kosparse.records import Pair, Passage, Query, Reject
from kosparse.synthetic.passages import MIN_HANGUL
from kosparse.synthetic.writer import (
    Unusable,
    Writer,
    Written,
    as_chat_model,
    evenly,
    read_field,
    read_object,
    stable_id,
    write,
)

STAGE = "generate_documents"


@dataclass(frozen=True)
class Draft:
    """One request: a passage of one grade for one query."""

    query: Query
    grade: int


class WrittenDocument(NamedTuple):
    """A written passage and its pair with the query it was written for."""

    pair: Pair
    passage: Passage


def generate_documents_from_queries(
    queries: Iterable[Query | str],
    model: ChatModel | None = None,
    *,
    grades: Sequence[int] | None = None,
    llm_model: Any = None,
    llm_tokenizer: Any = None,
    config: GenerateDocumentsConfig | None = None,
) -> Written[WrittenDocument]:
    """Write passages for queries.

    Args:
        queries: Real or generated queries.
        model: Any chat model; or give ``llm_model`` and ``llm_tokenizer``.
        grades: Relevance of the passages to write: 3 exact, 2 partial, 1 related, 0 off-topic.
        llm_model: A transformers model, used in this process.
        llm_tokenizer: Its tokenizer.
        config: Sampling.

    Returns:
        Pairs with ``origin`` "query_to_document" and the passages (document id "synthetic/...").
    """
    config = config or GenerateDocumentsConfig()
    writer = Writer.from_config(as_chat_model(model, llm_model, llm_tokenizer), config, budget_seconds=float("inf"))
    return write_documents(as_queries(queries), writer, config.grades if grades is None else grades)


def as_queries(queries: Iterable[Query | str]) -> list[Query]:
    """Queries with ids; a bare string's depends on the string alone."""
    return [query if isinstance(query, Query) else Query(id=stable_id(query), text=query) for query in queries]


def asked_about(typed: Sequence[Query], pairs: Sequence[Pair], most: int) -> list[Query]:
    """At most ``most`` queries to write passages for: what people typed, in its order, then generated ones, spread
    evenly over the set."""
    first = list(typed[:most])
    left = most - len(first)
    return first + [Query(id=pair.id, text=pair.query) for pair in (evenly(pairs, left) if left else [])]


def write_documents(queries: Sequence[Query], writer: Writer, grades: Sequence[int]) -> Written[WrittenDocument]:
    """Write a passage of each grade for each query; what was written for another grade of it already is refused."""
    prompt = prompts.load("generate_documents")
    written = write(
        writer,
        [Draft(query, grade) for query in queries for grade in grades],
        lambda draft: request(draft, writer, prompt),
        lambda draft, text: parse(draft, text, writer, prompt),
        where=lambda draft: draft.query.id,
        stage=STAGE,
    )
    return _without_repeats(written)


def _without_repeats(written: Written[WrittenDocument]) -> Written[WrittenDocument]:
    """Of a query's passages that read the same, the first: one text cannot be exact and related too."""
    seen, rows, rejects = set[tuple[str, str]](), list[WrittenDocument](), list(written.rejects)
    for row in written.rows:
        key = (row.pair.parent or "", query_key(row.passage.text))
        if key in seen:
            rejects.append(
                Reject(
                    stage=STAGE,
                    reason="repeats_other_grade",
                    detail=row.passage.text[:200],
                    where=row.pair.parent or "",
                )
            )
        else:
            seen.add(key)
            rows.append(row)
    return replace(written, rows=rows, rejects=rejects)


def request(draft: Draft, writer: Writer, prompt: Prompt) -> ChatRequest:
    """Ask for one passage."""
    return writer.request(prompt, query=draft.query.text, grade=draft.grade)


def parse(draft: Draft, text: str, writer: Writer, prompt: Prompt) -> list[WrittenDocument | Reject]:
    """Read one written passage.

    Raises:
        Unusable: Not JSON, empty, hardly Korean, or the query said back.
    """
    body = read_field(read_object(text), "passage")
    check_body(body, draft.query.text)
    key = stable_id(draft.query.id, STAGE, draft.grade)
    passage = Passage(id=f"synthetic/{key}#0", document_id=f"synthetic/{key}", position=0, text=body)
    pair = Pair(
        id=key,
        query=draft.query.text,
        passage_id=passage.id,
        document_id=passage.document_id,
        origin="query_to_document",
        query_type=f"grade_{draft.grade}",
        grade=draft.grade,
        parent=draft.query.id,
        provenance=writer.provenance(prompt),
    )
    return [WrittenDocument(pair, passage)]


def check_body(body: str, query: str) -> None:
    """Refuse a written passage that cannot serve as one.

    Raises:
        Unusable: ``too_little_korean`` or ``repeats_query``.
    """
    if hangul_syllables(body) < MIN_HANGUL:
        raise Unusable("too_little_korean", body[:200])
    if query_key(body) == query_key(query):
        raise Unusable("repeats_query", body[:200])
