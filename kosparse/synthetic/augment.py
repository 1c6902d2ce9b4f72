"""More queries from the ones there are: the same need in other words (LLM), with a term in the other language, or
as people type it in a hurry.

Only the query changes, never its passage: that is what teaches a retriever that the two terms meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kosparse import prompts
from kosparse.config import AugmentQueriesConfig
from kosparse.corpus.text import query_key
from kosparse.ports import ChatModel, ChatRequest
from kosparse.prompts import Prompt
from kosparse.records import Pair, Provenance, Reject, SynonymEntry
from kosparse.synthetic.substitution import Lexicon
from kosparse.synthetic.variants import variants
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

STAGE = "augment_queries"


def augment_query(
    query: str,
    dictionary: Iterable[SynonymEntry] = (),
    *,
    model: ChatModel | None = None,
    llm_model: Any = None,
    llm_tokenizer: Any = None,
    config: AugmentQueriesConfig | None = None,
) -> list[str]:
    """Write other versions of one query.

    Args:
        query: The query.
        dictionary: Synonyms; at most ``config.substitutions_per_query`` versions with one term replaced.
        model: Paraphrases once when given; or give ``llm_model`` and ``llm_tokenizer``.
        llm_model: A transformers model, used in this process.
        llm_tokenizer: Its tokenizer.
        config: Sampling, number of substitutions, kinds of variants.

    Returns:
        Versions that differ from the query: substitutions, variants, then the paraphrase; may be empty.
    """
    config = config or AugmentQueriesConfig()
    pair = Pair(id=stable_id(query), query=query, passage_id="", document_id="", origin="real")
    rows = substitute([pair], Lexicon(dictionary), config.substitutions_per_query)
    rows += vary([pair], config.variants)
    if model is not None or llm_model is not None:
        chat = as_chat_model(model, llm_model, llm_tokenizer)
        rows += paraphrase([pair], Writer.from_config(chat, config, budget_seconds=float("inf"))).rows
    return list(dict.fromkeys(row.query for row in rows))


def substitute(pairs: Sequence[Pair], lexicon: Lexicon, per_query: int) -> list[Pair]:
    """Pairs with one term of the query replaced by its counterpart; no model is asked."""
    return [
        _derived(pair, text, "synonym", number, None)
        for pair in pairs
        for number, text in enumerate(lexicon.variants(pair.query, per_query))
    ]


def vary(pairs: Sequence[Pair], kinds: Sequence[str]) -> list[Pair]:
    """Pairs with the query as it is typed in a hurry: a pair per kind; no model is asked."""
    return [_derived(pair, text, kind, 0, None) for pair in pairs for kind, text in variants(pair.query, kinds)]


def paraphrase(pairs: Sequence[Pair], writer: Writer) -> Written[Pair]:
    """Pairs with the query said in other words."""
    prompt = prompts.load("augment_query")
    return write(
        writer,
        pairs,
        lambda pair: request(pair, writer, prompt),
        lambda pair, text: parse(pair, text, writer, prompt),
        where=lambda pair: pair.id,
        stage=STAGE,
    )


def choose(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """``count`` pairs to paraphrase, evenly over the set."""
    return evenly(pairs, count) if count else []


def request(pair: Pair, writer: Writer, prompt: Prompt) -> ChatRequest:
    """Ask for one paraphrase."""
    return writer.request(prompt, query=pair.query)


def parse(pair: Pair, text: str, writer: Writer, prompt: Prompt) -> list[Pair | Reject]:
    """Read one paraphrase.

    Raises:
        Unusable: Not JSON, empty, or the query unchanged.
    """
    query = read_field(read_object(text), "query")
    if query_key(query) == query_key(pair.query):
        raise Unusable("unchanged", query)
    return [_derived(pair, query, "paraphrase", 0, writer.provenance(prompt))]


def _derived(pair: Pair, query: str, kind: str, number: int, provenance: Provenance | None) -> Pair:
    return pair.model_copy(
        update={
            "id": stable_id(pair.id, STAGE, kind, number),
            "query": query,
            "origin": "augmented",
            "query_type": kind,
            "parent": pair.id,
            "scores": {},
            "provenance": provenance,
        }
    )
