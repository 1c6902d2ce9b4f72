"""Hard negatives by the model's own ranking, between two rounds of its training."""

from __future__ import annotations

from collections.abc import Sequence

from kosparse.evaluation.ranking import best, blocks
from kosparse.progress import track
from kosparse.sparse.student import Asked, Student
from kosparse.sparse.training_set import TrainingSet

_DEPTH, _KEPT = 50, 8
"""How far down the ranking to look, and the most negatives of a query."""
_MOST_SHARE = 0.95
"""Of the positive's teacher score: what scores more may well answer the query too (NV-Retriever, 2407.15831)."""


def own_negatives(
    student: Student, data: TrainingSet, asked: Sequence[Asked], rows: Sequence[int]
) -> dict[int, list[int]]:
    """Passages the student ranks high for a query although the teacher thinks less of them, hardest first.

    What is hard for a model changes while it learns, so its own ranking is mined again and again (ANCE, Xiong et al.
    2020, arXiv 2007.00808). Left out are passages of the query's own document and those that score close to its own
    passage with the teacher; what the teacher did not keep counts as 0, and an own passage that it did not keep as
    the least it kept.

    Args:
        student: As it is now.
        data: Queries, passages and teacher scores.
        asked: What the student reads of each query of ``data``.
        rows: Positions of the queries that are learnt from.

    Returns:
        Positions of passages by query; a query without a negative is not there.
    """
    weights = student.vectors()
    places = {passage.id: place for place, passage in enumerate(data.passages)}
    found: dict[int, list[int]] = {}
    for block in track(list(blocks(len(rows), len(data.passages))), "mining negatives", unit="blocks"):
        queries = student.weigh([asked[row] for row in rows[block]])
        for row, scores in zip(rows[block], (weights @ queries.T.numpy()).T, strict=True):
            own = places[data.queries[row].passage_id]
            hard = _doubted(data, row, own, [int(passage) for passage in best(scores, _DEPTH, above=0.0)])
            if hard:
                found[row] = hard[:_KEPT]
    return found


def _doubted(data: TrainingSet, row: int, own: int, ranked: Sequence[int]) -> list[int]:
    """Passages of other documents that score clearly below the query's own one with the teacher."""
    scores = dict(zip(data.teacher.passages[row].tolist(), data.teacher.scores[row].tolist(), strict=True))
    ceiling = _MOST_SHARE * scores.get(own, min(scores.values()))
    document = data.passages[own].document_id
    return [
        passage
        for passage in ranked
        if scores.get(passage, 0.0) < ceiling and data.passages[passage].document_id != document
    ]
