"""Read some pairs and say which are good: a page for it, and what the answers say of the filter.

Kept and rejected pairs stand side by side and nothing tells which is which, so the sheet measures how many kept
pairs are good and how many good ones were thrown away.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from kosparse.evaluation.labelling import Judged, Page, render
from kosparse.evaluation.significance import wilson
from kosparse.records import Pair, Passage, Reject

GOOD, UNSURE, BAD = 2, 1, 0
_PAGE = Page(
    "review",
    "합성 쌍 검토",
    "Synthetic pairs. 이 질의를 친 사람에게 이 글이 답이 됩니까? 자연스러운 검색어입니까? "
    "Would the passage satisfy whoever typed this, and would anybody type it?",
    ((GOOD, "g", "좋음 good"), (BAD, "b", "나쁨 bad"), (UNSURE, "u", "모르겠음 unsure")),
)
_REJECTED = 0.25
"""Share of the sheet given to rejected pairs."""


def review_sheet(
    kept: Sequence[Pair],
    rejects: Sequence[Reject],
    passages: Mapping[str, Passage],
    *,
    size: int,
    seed: int,
) -> tuple[str, int]:
    """The page with a stratified sample: kept pairs by type, rejected ones by reason.

    Args:
        kept: Kept pairs.
        rejects: Rejected ones; those that never became a pair are left out.
        passages: By id.
        size: Pairs on the sheet at most.
        seed: Of the sample and its order.

    Returns:
        The page, and how many pairs it holds.
    """
    refused = [
        (reject.reason, Pair.model_validate(reject.row))
        for reject in rejects
        if reject.row.get("query") and reject.row.get("passage_id") in passages
    ]
    share = min(len(refused), round(_REJECTED * size))
    chosen = [
        *stratified([(pair.query_type, pair) for pair in kept], size - share, seed),
        *stratified(refused, share, seed),
    ]
    random.Random(seed).shuffle(chosen)
    texts = {passage.id: ("", passage.text) for passage in passages.values()}
    pooled = {pair.id: [pair.passage_id] for pair in chosen}
    return render(pooled, {pair.id: pair.query for pair in chosen}, texts, _PAGE), len(chosen)


def stratified(labelled: Sequence[tuple[str, Pair]], count: int, seed: int) -> list[Pair]:
    """At most ``count`` pairs, the strata taken in turn, so that rare ones are seen too."""
    strata: dict[str, list[Pair]] = defaultdict(list)
    for name, pair in labelled:
        strata[name].append(pair)
    for name in strata:
        random.Random(f"{seed} {name}").shuffle(strata[name])
    chosen: list[Pair] = []
    while len(chosen) < count and any(strata.values()):
        for name in sorted(strata):
            if strata[name] and len(chosen) < count:
                chosen.append(strata[name].pop())
    return chosen


def score(reviews: Sequence[Judged], kept: Mapping[str, str]) -> dict[str, Any]:
    """What reviewers say of the pairs.

    Args:
        reviews: What each of them saved.
        kept: Query type by id of the kept pairs; others on the sheet count as rejected.

    Returns:
        ``kept`` and ``rejected``: ``good``, ``bad``, ``unsure``, ``share`` of good ones among good and bad and its 95 %
        Wilson ``interval``; ``by_type``: the same for kept pairs; ``precision``: the shares of the types, weighted by
        how many kept pairs are of each, since the sheet holds rare types more often than the set; ``agreement`` of
        every two reviewers on pairs both judged: ``pairs``, ``same`` (a share) and Cohen's ``kappa`` (1960). A pair
        judged by several counts once for each.
    """
    said = [
        (pair_id, grade)
        for review in reviews
        for pair_id, grades in review.judgements.items()
        for grade in grades.values()
    ]
    by_type: dict[str, list[int]] = defaultdict(list)
    for pair_id, grade in said:
        if pair_id in kept:
            by_type[kept[pair_id]].append(grade)
    types = {name: _counts(grades) for name, grades in sorted(by_type.items())}
    return {
        "kept": _counts([grade for pair_id, grade in said if pair_id in kept]),
        "rejected": _counts([grade for pair_id, grade in said if pair_id not in kept]),
        "by_type": types,
        "precision": _weighted(types, Counter(kept.values())),
        "agreement": [
            {"reviewers": [one.judge, other.judge], **agreement(_grades(one), _grades(other))}
            for one, other in combinations(reviews, 2)
        ],
    }


def _counts(grades: Sequence[int]) -> dict[str, Any]:
    good, bad = grades.count(GOOD), grades.count(BAD)
    low, high = wilson(good, good + bad)
    share = round(good / (good + bad), 4) if good + bad else None
    counted = {"good": good, "bad": bad, "unsure": grades.count(UNSURE)}
    return {**counted, "share": share, "interval": [round(low, 4), round(high, 4)]}


def _weighted(types: Mapping[str, Mapping[str, Any]], sizes: Mapping[str, int]) -> float | None:
    known = {name: counts["share"] for name, counts in types.items() if counts["share"] is not None}
    total = sum(sizes[name] for name in known)
    return round(sum(sizes[name] * share for name, share in known.items()) / total, 4) if total else None


def _grades(review: Judged) -> dict[str, int]:
    return {pair_id: grade for pair_id, grades in review.judgements.items() for grade in grades.values()}


def agreement(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, Any]:
    """How far two reviewers say the same of the pairs both judged; kappa is None where chance alone agrees.

    >>> agreement({"a": 2, "b": 0, "c": 2, "d": 0}, {"a": 2, "b": 0, "c": 0, "d": 0})
    {'pairs': 4, 'same': 0.75, 'kappa': 0.5}
    """
    both = sorted(one.keys() & other.keys())
    if not both:
        return {"pairs": 0, "same": None, "kappa": None}
    same = sum(one[name] == other[name] for name in both) / len(both)
    grades = (GOOD, UNSURE, BAD)
    by_chance = sum(
        sum(one[name] == grade for name in both) * sum(other[name] == grade for name in both) / len(both) ** 2
        for grade in grades
    )
    kappa = round((same - by_chance) / (1 - by_chance), 4) if by_chance < 1 else None
    return {"pairs": len(both), "same": round(same, 4), "kappa": kappa}
