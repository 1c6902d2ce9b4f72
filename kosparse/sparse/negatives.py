"""Hard negatives: passages that look like the answer to a query but rank clearly below its own passage.

Words and vectors are fooled by different passages, so BM25 and a dense encoder are mined apart, each against its own
score of the positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Literal

import numpy as np

from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.evaluation.bm25 import Bm25
from kosparse.ports import Embedder
from kosparse.progress import track
from kosparse.records import NegativeDoc, Pair, Passage

_BLOCK = 512
"""Queries scored at a time."""


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
    tokens = content_morphemes_of([pair.query for pair in pairs])
    chosen = _Chosen(passages, "bm25", per_pair)
    for pair, query in track(list(zip(pairs, tokens, strict=True)), "negatives", unit="pairs"):
        row = position.get(pair.passage_id)
        ceiling = max_share_of_positive * float(index.scores(query)[row]) if row is not None else 0.0
        chosen.take(pair, index.search(query, depth), ceiling)
    return chosen.negatives


def mine_dense_negatives(
    pairs: Sequence[Pair],
    passages: Sequence[Passage],
    embedder: Embedder,
    *,
    per_pair: int,
    depth: int,
    max_share_of_positive: float,
) -> list[NegativeDoc]:
    """The same by a dense encoder, whose scores are cosines; arguments as for ``mine_negatives``."""
    position = {passage.id: row for row, passage in enumerate(passages)}
    asked = [pair for pair in pairs if pair.passage_id in position]
    chosen = _Chosen(passages, "dense", per_pair)
    if not asked:
        return chosen.negatives
    vectors = embedder.encode([passage.text for passage in passages], "passage")
    for begin in track(range(0, len(asked), _BLOCK), "dense negatives", unit="blocks"):
        block = asked[begin : begin + _BLOCK]
        for pair, scores in zip(block, embedder.encode([one.query for one in block], "query") @ vectors.T, strict=True):
            best = np.argsort(-scores, kind="stable")[:depth]
            ranked = [(passages[row].id, float(scores[row])) for row in best]
            chosen.take(pair, ranked, max_share_of_positive * float(scores[position[pair.passage_id]]))
    return chosen.negatives


class _Chosen:
    """Negatives of one kind, as they are found."""

    def __init__(self, passages: Sequence[Passage], kind: Literal["bm25", "dense"], per_pair: int) -> None:
        self.negatives: list[NegativeDoc] = []
        self._document = {passage.id: passage.document_id for passage in passages}
        self._kind, self._per_pair = kind, per_pair

    def take(self, pair: Pair, ranked: Sequence[tuple[str, float]], ceiling: float) -> None:
        """The best that score below the ceiling and are of another document."""
        found = (
            NegativeDoc(pair_id=pair.id, passage_id=passage_id, kind=self._kind, score=score)
            for passage_id, score in ranked
            if score < ceiling and self._document[passage_id] != pair.document_id
        )
        self.negatives.extend(islice(found, self._per_pair))
