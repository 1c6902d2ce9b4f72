"""Document to query: what would people type who would be glad to find this passage?

InPars (2202.05144) and Promptagator (2209.11755), with several query types in one answer, since several
beat any one (CADET, 2505.19274).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kosparse import prompts
from kosparse.config import GenerateQueriesConfig
from kosparse.corpus.text import query_key
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
_NEXT_DRAW = 1000
"""Added to the sample of a draw that repeated another: far from the samples of further queries."""


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
    """Write ``per_group`` queries for each group of passages (a document, or a passage alone).

    A query that repeats an earlier one is asked again, ``config.redraws`` times at most and within the budget.
    """
    started = time.monotonic()
    prompt = prompts.load("generate_queries")
    groups = [kept for group in groups if (kept := [passage for passage in group if askable(passage)])]
    written = _write(draws(groups, per_group, config.query_types), writer, config, prompt)
    passages = {passage.id: passage for group in groups for passage in group}
    for _ in range(config.redraws):
        repeated = repeats(written.rows)
        left = writer.budget_seconds - (time.monotonic() - started)
        if not repeated or left <= 0:
            break
        asked = [
            Draw(passages[pair.passage_id], (pair.query_type,), _sample(pair) + _NEXT_DRAW)
            for pair in (written.rows[row] for row in repeated)
        ]
        again = _write(asked, replace(writer, budget_seconds=left, at_least=0), config, prompt)
        _put_in_place(written, repeated, again)
    return written


def _write(asked: Sequence[Draw], writer: Writer, config: GenerateQueriesConfig, prompt: Prompt) -> Written[Pair]:
    return write(
        writer,
        asked,
        lambda draw: request(draw, writer, prompt, config.excerpt_characters),
        lambda draw, text: parse(draw, text, writer, prompt),
        where=lambda draw: draw.passage.id,
        stage=STAGE,
    )


def repeats(pairs: Sequence[Pair]) -> list[int]:
    """Positions of queries that an earlier pair has already, but for case, spaces and punctuation."""
    seen: set[str] = set()
    found = []
    for row, pair in enumerate(pairs):
        key = query_key(pair.query)
        if key in seen:
            found.append(row)
        seen.add(key)
    return found


def _put_in_place(written: Written[Pair], repeated: Sequence[int], again: Written[Pair]) -> None:
    """New queries where repeated ones stood; where none came, the old one stays for the filter to count."""
    fresh = {(pair.passage_id, pair.query_type, _sample(pair)): pair for pair in again.rows}
    for row in repeated:
        old = written.rows[row]
        new = fresh.get((old.passage_id, old.query_type, _sample(old) + _NEXT_DRAW))
        # The id stays: what a pair is called does not depend on what other passages gave.
        written.rows[row] = new.model_copy(update={"id": old.id}) if new else old
    written.answered += again.answered


def _sample(pair: Pair) -> int:
    return pair.provenance.sample if pair.provenance else 0


def choose(passages: Sequence[Passage], count: int) -> list[Passage]:
    """At most ``count`` passages with enough Korean in them, evenly over the collection; 0 means all."""
    return evenly([passage for passage in passages if askable(passage)], count)


def draws(groups: Sequence[Sequence[Passage]], count: int, types: Sequence[str]) -> list[Draw]:
    """The requests for ``count`` queries per group; every group's first before any group's second.

    Types are dealt out in turn over all groups, so that each becomes equally many whatever ``count`` is.
    """
    planned = []
    for sample, begin in enumerate(range(0, count, len(types))):
        size = min(len(types), count - begin)
        for number, group in enumerate(groups):
            dealt = {types[(number * count + begin + one) % len(types)] for one in range(size)}
            planned.append(Draw(_member(group, sample), tuple(name for name in types if name in dealt), sample))
    return planned


def _member(group: Sequence[Passage], sample: int) -> Passage:
    """Take the passages of a document in turn, from one that depends on its id: not always the first."""
    return group[(stable_number("draw", group[0].document_id) + sample) % len(group)]


def request(draw: Draw, writer: Writer, prompt: Prompt, characters: int) -> ChatRequest:
    """Ask for one query per type.

    Raises:
        ConfigError: A query type the prompt does not know.
    """
    asked = prompt.narrowed(draw.types)
    return writer.request(asked, sample=draw.sample, document=excerpt(draw.passage, characters))


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
