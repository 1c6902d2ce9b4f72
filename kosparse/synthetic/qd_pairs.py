"""The whole of it in one call: queries for documents, augmented, filtered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kosparse.config import AugmentQueriesConfig, FilterPairsConfig, GenerateQueriesConfig
from kosparse.ports import ChatModel
from kosparse.records import Document, Pair, Passage, Reject, SynonymEntry
from kosparse.synthetic.augment import choose, paraphrase, substitute, vary
from kosparse.synthetic.filters import filter_synthetic_pairs, require_kept
from kosparse.synthetic.passages import as_passages, by_document
from kosparse.synthetic.queries import write_queries
from kosparse.synthetic.substitution import Lexicon
from kosparse.synthetic.writer import Writer, as_chat_model


@dataclass(frozen=True)
class SyntheticPairs:
    """Kept pairs and all there is to know about them. Iterates as ``(query, passage text)``."""

    pairs: list[Pair]
    passages: dict[str, Passage]
    """All passages of the documents, by id."""
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
) -> SyntheticPairs:
    """Write queries for documents, augment them, and keep what passes the filters.

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

    Returns:
        The kept pairs with scores and provenance, the rejects with reasons, the funnel.

    Raises:
        ConfigError: No language model was given.
        InputError: Nothing was kept; says which filter ate everything.
    """
    chat = as_chat_model(model, llm_model, llm_tokenizer)
    queries, augment = queries or GenerateQueriesConfig(), augment or AugmentQueriesConfig()
    passages = as_passages(documents)
    writer = Writer.from_config(chat, queries, budget_seconds=math.inf)
    written = write_queries(by_document(passages), writer, queries, num_queries_per_doc)
    swapped = substitute(written.rows, Lexicon(dictionary), augment.substitutions_per_query)
    varied = vary(written.rows, augment.variants)
    paraphrased = paraphrase(
        choose(written.rows, augment.max_queries), Writer.from_config(chat, augment, budget_seconds=math.inf)
    )
    filtered = filter_synthetic_pairs(
        [*written.rows, *swapped, *varied, *paraphrased.rows],
        passages,
        config=filters,
        model=chat,
        upstream=[*written.rejects, *paraphrased.rejects],
    )
    require_kept(filtered)
    return SyntheticPairs(
        filtered.kept, {passage.id: passage for passage in passages}, filtered.rejects, filtered.funnel
    )
