"""Hard negatives: passages that share a query's words but rank clearly below its own passage."""

from __future__ import annotations

from collections.abc import Sequence

from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.evaluation.bm25 import Bm25
from kosparse.progress import track
from kosparse.records import NegativeDoc, Pair, Passage


def bm25_over(passages: Sequence[Passage]) -> Bm25:
    """BM25 over the morphemes of passages, ids in passage order."""
    return Bm25([passage.id for passage in passages], content_morphemes_of([passage.text for passage in passages]))


def mine_negatives(
    pairs: Sequence[Pair], passages: Sequence[Passage], *, per_pair: int, depth: int, max_share_of_positive: float
) -> list[NegativeDoc]:
    """Take the best BM25 passages that score below a share of the positive's own score.

    What scores close to the positive may well answer the query too (NV-Retriever, arXiv 2407.15831), so
    it is left out; so are the other passages of the positive's document.

    Args:
        pairs: Queries with their passages. A passage that is not among ``passages`` is scored as 0 and
            gets no negatives.
        passages: The collection.
        per_pair: Most negatives of one pair.
        depth: How far down the ranking to look.
        max_share_of_positive: In (0, 1].
    """
    index = bm25_over(passages)
    position = {passage.id: row for row, passage in enumerate(passages)}
    document = {passage.id: passage.document_id for passage in passages}
    tokens = content_morphemes_of([pair.query for pair in pairs])
    mined: list[NegativeDoc] = []
    for pair, query in track(list(zip(pairs, tokens, strict=True)), "negatives", unit="pairs"):
        row = position.get(pair.passage_id)
        ceiling = max_share_of_positive * float(index.scores(query)[row]) if row is not None else 0.0
        found = (
            NegativeDoc(pair_id=pair.id, passage_id=passage_id, kind="bm25", score=score)
            for passage_id, score in index.search(query, depth)
            if score < ceiling and document[passage_id] != pair.document_id
        )
        mined.extend(negative for negative, _ in zip(found, range(per_pair), strict=False))
    return mined
