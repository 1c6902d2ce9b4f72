"""Hard negatives: passages that look like the answer to a query but rank clearly below its own passage.

Words and vectors are fooled by different passages, so BM25 and a dense encoder are mined apart, each against its own
score of the positive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Literal

import numpy as np

from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.evaluation.bm25 import Bm25
from kosparse.ports import Embedder
from kosparse.records import NegativeDoc, Pair, Passage
from kosparse.sparse.mined import Mine


def bm25_over(passages: Sequence[Passage], *, lead: float = 0.0) -> Bm25:
    """BM25 over the morphemes of passages, ids in passage order.

    Args:
        passages: In the order of the scores.
        lead: See ``Bm25``.
    """
    tokens = content_morphemes_of([passage.text for passage in passages])
    return Bm25([passage.id for passage in passages], tokens, lead=lead)


def bm25_miner(passages: Sequence[Passage], *, per_pair: int, depth: int, max_share_of_positive: float) -> Mine:
    """What takes the best BM25 passages that score below a share of the positive's own score, for some pairs.

    What scores close to the positive may well answer the query too (NV-Retriever, arXiv 2407.15831), so
    it is left out; so are the other passages of the positive's document.

    Args:
        passages: The collection. A pair whose passage is not among them gets no negatives.
        per_pair: Most negatives of one pair.
        depth: How far down the ranking to look.
        max_share_of_positive: In (0, 1].
    """
    index, position = bm25_over(passages), {passage.id: row for row, passage in enumerate(passages)}
    document = {passage.id: passage.document_id for passage in passages}

    def mine(pairs: Sequence[Pair]) -> list[NegativeDoc]:
        chosen = _Chosen(document, "bm25", per_pair)
        for pair, query in zip(pairs, content_morphemes_of([pair.query for pair in pairs]), strict=True):
            row = position.get(pair.passage_id)
            ceiling = max_share_of_positive * float(index.scores(query)[row]) if row is not None else 0.0
            chosen.take(pair, index.search(query, depth), ceiling)
        return chosen.negatives

    return mine


def dense_miner(
    passages: Sequence[Passage], embedder: Embedder, *, per_pair: int, depth: int, max_share_of_positive: float
) -> Mine:
    """The same by a dense encoder, whose scores are cosines; arguments as for ``bm25_miner``."""
    position = {passage.id: row for row, passage in enumerate(passages)}
    document = {passage.id: passage.document_id for passage in passages}
    vectors = embedder.encode([passage.text for passage in passages], "passage")

    def mine(pairs: Sequence[Pair]) -> list[NegativeDoc]:
        chosen = _Chosen(document, "dense", per_pair)
        asked = [pair for pair in pairs if pair.passage_id in position]
        if not asked:
            return []
        table = embedder.encode([pair.query for pair in asked], "query") @ vectors.T
        for pair, scores in zip(asked, table, strict=True):
            best = np.argsort(-scores, kind="stable")[:depth]
            ranked = [(passages[row].id, float(scores[row])) for row in best]
            chosen.take(pair, ranked, max_share_of_positive * float(scores[position[pair.passage_id]]))
        return chosen.negatives

    return mine


class _Chosen:
    """Negatives of one kind, as they are found."""

    def __init__(self, document: Mapping[str, str], kind: Literal["bm25", "dense"], per_pair: int) -> None:
        self.negatives: list[NegativeDoc] = []
        self._document = document
        self._kind, self._per_pair = kind, per_pair

    def take(self, pair: Pair, ranked: Sequence[tuple[str, float]], ceiling: float) -> None:
        """The best that score below the ceiling and are of another document."""
        found = (
            NegativeDoc(pair_id=pair.id, passage_id=passage_id, kind=self._kind, score=score)
            for passage_id, score in ranked
            if score < ceiling and self._document[passage_id] != pair.document_id
        )
        self.negatives.extend(islice(found, self._per_pair))
