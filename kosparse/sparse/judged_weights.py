"""How much each unit of a query is worth, by judged queries.

A thousand judged queries are too few to say what passages are about: gradient steps on them fit them and move nothing
else (ADR 0023). They do say what the words of a query are worth. So passages stay as they are, and each weight w of
the query side becomes ``w^a exp(d)``: one power for all, and one deviation per unit that costs what it is unlikely to
be, ``d ~ N(0, spread^2)``. The relevant document should come first:

    max over a, b, d of  sum_q ln( sum_{p of the relevant} e^{b s(q, p)} / sum_{p found} e^{b s(q, p)} )
                         - sum_t d_t^2 / (2 spread^2) - ((a - 1)^2 + (ln b)^2) / (2 * .5^2),

the top-one probability of ListNet (Cao et al. 2007, "Learning to Rank: From Pairwise Approach to Listwise Approach")
under Gaussian priors. L-BFGS finds it in a second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from kosparse.evaluation.ranking import BestPassage, best, blocks
from kosparse.progress import note
from kosparse.sparse.student import Asked, Student
from kosparse.sparse.training_set import TrainingSet, places_of
from kosparse.sparse.validation import ndcg_of_one

_DEPTH = 100
"""Passages ranked for each query, besides the relevant ones."""
_ITERATIONS = 100
_LOOSE = 0.5
"""Standard deviation of the power and of the logarithm of the scale, which a thousand queries outweigh. Without it the
scale of separable judgements has no bound, and then the smallest of deviations decides."""
_SPLITS = ("train", "validation")
_LEAST = 1e-6
"""A weight of 0 stays 0, whatever it is multiplied by."""


@dataclass(frozen=True)
class _Matches:
    """What units add to the scores of passages, one entry for each unit that query and passage share."""

    share: Tensor
    """Weight in the query times weight in the passage, shape [entries]."""
    unit: Tensor
    """int64, shape [entries]."""
    passage: Tensor
    """Line of the ranked passage that it adds to, int64, shape [entries]."""
    query: Tensor
    """Of each ranked passage, ascending, int64, shape [ranked]."""
    relevant: Tensor
    """Whether a ranked passage is of a relevant document, bool, shape [ranked]."""


def fit_to_judged(student: Student, data: TrainingSet, asked: Sequence[Asked], spread: float) -> dict[str, float]:
    """Give the query side the weights that the judged queries of the train split ask for.

    Where others are held out, weights that make these no more likely are not taken.

    Args:
        student: Trained; its query weights are changed in place.
        data: Queries and passages; a judged query is one of the group ``real``.
        asked: The units of each query of ``data``.
        spread: Standard deviation of the logarithm of a unit's weight around what it was, > 0.

    Returns:
        nDCG@10 of the held-out judged queries before and after, by name; empty where none are judged.
    """
    learnt, held_out = ([row for row in data.rows(split, "real") if len(asked[row])] for split in _SPLITS)
    weights = student.query_weights()
    if not learnt or weights is None:
        return {}
    vectors, worth = student.vectors(), weights.numpy()
    matches = _matches(data, asked, learnt, vectors, worth)
    if not len(matches.share):
        return {}
    fitted, plain = _fitted(matches, worth, spread), _fitted(matches, worth, spread, scale_alone=True)
    factors = fitted.factors().detach()
    before = _ndcg(data, asked, held_out, vectors, worth)
    after = _ndcg(data, asked, held_out, vectors, worth * factors.numpy())
    # The likelihood decides: ranks of a few hundred queries vary more than what is gained.
    others = _matches(data, asked, held_out, vectors, worth) if held_out else None
    taken = others is None or fitted.cost(others) < plain.cost(others)
    if taken:
        student.reweigh(factors)
    told = f"; held-out ones: nDCG@10 {before:.4f}, with these {after:.4f}" if held_out else ""
    kept = "" if taken else "; the held-out ones are less likely with them, so the weights stay as they were"
    note(f"query weights fitted to {len(learnt):,} judged queries{told}{kept}")
    return {"judged_ndcg@10_before": before, "judged_ndcg@10": after if taken else before} if held_out else {}


@dataclass(frozen=True)
class _Weights:
    """What is fitted."""

    log_worth: Tensor
    """Of each unit before, around the mean of what is asked for: so scores keep their size while the power changes."""
    power: Tensor
    """One less than the power, scalar."""
    scale: Tensor
    """Logarithm of it, scalar."""
    deviation: Tensor
    """Of each unit, shape [units]."""

    def factors(self) -> Tensor:
        """Of each unit's weight: shape [units]."""
        return torch.exp(self.power * self.log_worth + self.deviation)

    def cost(self, matches: _Matches) -> Tensor:
        """Sum over queries of minus the logarithm of what the relevant passages have of the softmax; scalar."""
        queries = int(matches.query[-1]) + 1
        added = matches.share * (torch.exp(self.scale) * self.factors())[matches.unit]
        scores = torch.zeros(len(matches.query)).index_add(0, matches.passage, added)
        right = _log_sum(scores[matches.relevant], matches.query[matches.relevant], queries)
        return (_log_sum(scores, matches.query, queries) - right).sum()


def _matches(
    data: TrainingSet, asked: Sequence[Asked], rows: Sequence[int], vectors: csr_matrix, worth: NDArray[np.float32]
) -> _Matches:
    """Of each query with the passages it finds, and with those of its relevant documents."""
    places, relevant = places_of(data.passages), _relevant(data, rows)
    parts: list[tuple[NDArray[Any], ...]] = []
    lines = 0
    for block in blocks(len(rows), len(data.passages)):
        for row, scores in zip(rows[block], _scores(asked, rows[block], vectors, worth), strict=True):
            own = np.concatenate([places[document] for document in sorted(relevant[data.queries[row].text])])
            ranked = np.union1d(best(scores, _DEPTH, above=0.0), own)
            shared = vectors[ranked][:, asked[row]].tocoo()
            units = asked[row][shared.col]
            query = np.full(len(ranked), len(parts))
            parts.append((shared.data * worth[units], units, shared.row + lines, query, np.isin(ranked, own)))
            lines += len(ranked)
    return _Matches(*(torch.from_numpy(np.concatenate(column)) for column in zip(*parts, strict=True)))


def _fitted(matches: _Matches, worth: NDArray[np.float32], spread: float, scale_alone: bool = False) -> _Weights:
    """The most likely ones; those that change nothing but the scale where only that may change."""
    log_worth = torch.from_numpy(np.log(np.maximum(worth, _LEAST)))
    log_worth = log_worth - log_worth[matches.unit].mean()
    found = _Weights(log_worth, torch.zeros(()), torch.zeros(()), torch.zeros(len(worth)))
    over = [found.scale] if scale_alone else [found.scale, found.power, found.deviation]
    for each in over:
        each.requires_grad_()
    optimizer = torch.optim.LBFGS(over, max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        unlikely = (found.deviation**2).sum() / spread**2 + (found.power**2 + found.scale**2) / _LOOSE**2
        total = found.cost(matches) + unlikely / 2
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[arg-type]
    for each in over:
        each.requires_grad_(False)
    return found


def _log_sum(scores: Tensor, query: Tensor, queries: int) -> Tensor:
    """Logarithm of the sum of ``e^score`` over each query's passages: shape [queries]."""
    highest = torch.full((queries,), -torch.inf).scatter_reduce(0, query, scores, "amax").detach()
    return highest + torch.log(torch.zeros(queries).index_add(0, query, torch.exp(scores - highest[query])))


def _ndcg(
    data: TrainingSet, asked: Sequence[Asked], rows: Sequence[int], vectors: csr_matrix, worth: NDArray[np.float32]
) -> float:
    """Mean nDCG@10 of each query with one relevant document; 0 without queries."""
    document = {passage.id: passage.document_id for passage in data.passages}
    best_passage, found = BestPassage([passage.document_id for passage in data.passages]), 0.0
    for block in blocks(len(rows), len(data.passages)):
        own = [document[data.queries[row].passage_id] for row in rows[block]]
        scores = torch.from_numpy(best_passage(_scores(asked, rows[block], vectors, worth)))
        found += ndcg_of_one(scores, torch.from_numpy(np.searchsorted(best_passage.ids, own))) * len(own)
    return found / max(len(rows), 1)


def _scores(
    asked: Sequence[Asked], rows: Sequence[int], vectors: csr_matrix, worth: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Of queries against all passages: shape [len(rows), passages]."""
    units = np.concatenate([asked[row] for row in rows])
    ends = np.cumsum([0, *(len(asked[row]) for row in rows)])
    queries = csr_matrix((worth[units], units, ends), shape=(len(rows), vectors.shape[1]))
    scores: NDArray[np.float32] = (queries @ vectors.T).toarray()
    return scores


def _relevant(data: TrainingSet, rows: Sequence[int]) -> dict[str, set[str]]:
    """Documents of each query text: a query with several is as many rows."""
    document = {passage.id: passage.document_id for passage in data.passages}
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[data.queries[row].text].add(document[data.queries[row].passage_id])
    return found
