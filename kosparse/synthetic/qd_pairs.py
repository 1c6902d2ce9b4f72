"""The whole of it in one call: queries for documents, augmented, filtered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kosparse.config import (
    AugmentQueriesConfig,
    FilterPairsConfig,
    GenerateDocumentsConfig,
    GenerateHardNegativesConfig,
    GenerateQueriesConfig,
)
from kosparse.ports import ChatModel, Embedder
from kosparse.records import Document, NegativeDoc, Pair, Passage, Query, Reject, SynonymEntry
from kosparse.synthetic.augment import choose, paraphrase, substitute, vary
from kosparse.synthetic.documents import WrittenDocument, as_queries, asked_about, write_documents
from kosparse.synthetic.filters import filter_synthetic_pairs, require_kept
from kosparse.synthetic.hard_negatives import write_negatives
from kosparse.synthetic.passages import as_passages, by_document
from kosparse.synthetic.queries import write_queries
from kosparse.synthetic.substitution import Lexicon
from kosparse.synthetic.writer import Writer, Written, as_chat_model, evenly


@dataclass(frozen=True)
class SyntheticPairs:
    """Kept pairs and all there is to know about them. Iterates as ``(query, passage text)``."""

    pairs: list[Pair]
    passages: dict[str, Passage]
    """All passages of the documents, and written ones, by id."""
    negatives: list[NegativeDoc]
    """Written hard negatives of kept pairs; none unless asked for."""
    rejects: list[Reject]
    funnel: dict[str, Any]
    """Counts by reason and stage, and ``statistics`` of the kept pairs."""

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((pair.query, self.passages[pair.passage_id].text) for pair in self.pairs)


def generate_synthetic_qd_pairs(
    documents: Iterable[Document | Passage | str],
    llm_model: Any = None,
    llm_tokenizer: Any = None,
    num_queries_per_doc: int = 3,
    *,
    model: ChatModel | None = None,
    dictionary: Iterable[SynonymEntry] = (),
    queries: GenerateQueriesConfig | None = None,
    augment: AugmentQueriesConfig | None = None,
    filters: FilterPairsConfig | None = None,
    written_documents: GenerateDocumentsConfig | None = None,
    query_log: Iterable[Query | str] = (),
    hard_negatives: GenerateHardNegativesConfig | None = None,
    embedder: Embedder | None = None,
    evaluated: Iterable[str] = (),
) -> SyntheticPairs:
    """Write queries for documents, augment them, write passages and negatives where told to, and keep what passes.

    Args:
        documents: Texts, documents or passages. Long documents are cut into passages.
        llm_model: As ``load_llm_model`` returns it: a transformers model, used in this process.
        llm_tokenizer: Its tokenizer.
        num_queries_per_doc: Queries written per document, >= 1.
        model: Any chat model, instead of the two above.
        dictionary: Verified synonyms, put in place of terms in the queries.
        queries: How queries are written.
        augment: How many are paraphrased and substituted.
        filters: Thresholds; the same model judges up to ``max_judged`` of the survivors.
        written_documents: How passages are written for queries, for how many and in which grades; none by default
            unless there is a query log.
        query_log: What people typed, the most frequent first: passages are written for these before generated queries.
        hard_negatives: How negatives are written for kept pairs, and for how many; none by default.
        embedder: For the dense filters and ``cluster_entropy``.
        evaluated: Queries that a model will be tested on; a pair whose query equals one is left out.

    Returns:
        The kept pairs with scores and provenance, the rejects with reasons, the funnel.

    Raises:
        ConfigError: No language model was given.
        InputError: Nothing was kept; says which filter ate everything.
    """
    chat = as_chat_model(model, llm_model, llm_tokenizer)
    queries, augment = queries or GenerateQueriesConfig(), augment or AugmentQueriesConfig()
    passages, log = as_passages(documents), as_queries(query_log)
    writer = Writer.from_config(chat, queries, budget_seconds=math.inf)
    written = write_queries(by_document(passages), writer, queries, num_queries_per_doc)
    swapped = substitute(written.rows, Lexicon(dictionary), augment.substitutions_per_query)
    varied = vary(written.rows, augment.variants)
    paraphrased = paraphrase(
        choose(written.rows, augment.max_queries), Writer.from_config(chat, augment, budget_seconds=math.inf)
    )
    made: Written[WrittenDocument] = Written()
    if written_documents or log:
        asking = written_documents or GenerateDocumentsConfig()
        asker = Writer.from_config(chat, asking, budget_seconds=math.inf)
        made = write_documents(asked_about(log, written.rows, asking.max_queries), asker, asking.grades)
    passages += [row.passage for row in made.rows]
    filtered = filter_synthetic_pairs(
        [*written.rows, *swapped, *varied, *paraphrased.rows, *(row.pair for row in made.rows)],
        passages,
        config=filters,
        model=chat,
        embedder=embedder,
        upstream=[*written.rejects, *paraphrased.rejects, *made.rejects],
        evaluated=evaluated,
    )
    require_kept(filtered)
    by_id = {passage.id: passage for passage in passages}
    negatives: Written[NegativeDoc] = Written()
    if hard_negatives:
        answering = [pair for pair in filtered.kept if pair.is_answered]
        chosen = evenly(answering, hard_negatives.max_pairs) if hard_negatives.max_pairs else []
        critic = Writer.from_config(chat, hard_negatives, budget_seconds=math.inf)
        negatives = write_negatives(chosen, by_id, critic, hard_negatives)
    rejects = [*filtered.rejects, *negatives.rejects]
    return SyntheticPairs(filtered.kept, by_id, negatives.rows, rejects, filtered.funnel)
