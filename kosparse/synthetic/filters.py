"""From all pairs to those worth training on, in stages, each with a reason and a count.

Cheap stages first; the model judges survivors only. Scores stay on the row, of kept and rejected alike.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from kosparse.config import FilterPairsConfig
from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.corpus.text import query_key
from kosparse.errors import InputError
from kosparse.ports import ChatModel, Embedder
from kosparse.records import Pair, Passage, Reject
from kosparse.synthetic import checks
from kosparse.synthetic.judge import choose, judge
from kosparse.synthetic.near_duplicates import near_duplicates
from kosparse.synthetic.round_trip import TermCounts
from kosparse.synthetic.scores import COPIED, Scored, closeness, dense_ranks, numbers
from kosparse.synthetic.statistics import cluster_entropy, describe
from kosparse.synthetic.writer import Writer, evenly

STAGE = "filter_pairs"
_BLOCK = 1024
"""Passages read at a time."""

Check = Callable[[Scored, FilterPairsConfig], str]


@dataclass
class Filtered:
    """What filtering gave."""

    kept: list[Pair]
    rejects: list[Reject]
    funnel: dict[str, Any] = field(default_factory=dict)
    """``generated`` = ``kept`` + the sum of ``rejected`` by reason; ``stages`` in order; ``judged``; ``statistics``."""


def filter_synthetic_pairs(
    pairs: Iterable[Pair],
    passages: Iterable[Passage],
    *,
    config: FilterPairsConfig | None = None,
    model: ChatModel | None = None,
    embedder: Embedder | None = None,
    upstream: Sequence[Reject] = (),
    evaluated: Iterable[str] = (),
) -> Filtered:
    """Filter pairs.

    Args:
        pairs: In order of preference: of two that say the same, the first stays.
        passages: All passages a query must find its own among; written ones too. Read several times in turn, so that
            memory does not grow with them where they come from files (``jsonl.Records``).
        config: Thresholds.
        model: Judges survivors when given and ``config.judge`` is on.
        embedder: For near-duplicates, the dense round trip and ``cluster_entropy``; they are skipped without one.
        upstream: Rejects of the steps that wrote the pairs, carried into the funnel.
        evaluated: Queries that a model will be tested on; a pair whose query equals one is left out.

    Returns:
        Kept pairs with their scores, rejects (``upstream`` first), and the funnel.
    """
    config = config or FilterPairsConfig()
    writer = Writer.from_config(model, config) if model is not None and config.judge else None
    return Filter(passages, config, writer, embedder, evaluated).run(list(pairs), upstream)


class Filter:
    """The stages and what they share. Memory grows with the pairs, not with the passages: these are read in turn."""

    def __init__(
        self,
        passages: Iterable[Passage],
        config: FilterPairsConfig,
        writer: Writer | None,
        embedder: Embedder | None = None,
        evaluated: Iterable[str] = (),
    ) -> None:
        self.passages = list(passages) if isinstance(passages, Iterator) else passages
        self.config, self.writer, self.embedder = config, writer, embedder
        self.evaluated = {query_key(text) for text in evaluated}
        self.judged = 0

    def run(self, pairs: Sequence[Pair], upstream: Sequence[Reject] = ()) -> Filtered:
        """Send the pairs through all stages."""
        scored = self._scored(pairs)
        with TermCounts(one.tokens for one in scored) as self.counts:
            return self._run(scored, upstream)

    def _run(self, left: list[Scored], upstream: Sequence[Reject]) -> Filtered:
        generated = len(left) + len(upstream)
        rejects = list(upstream)
        stages = []
        for name, stage in self._stages():
            reasons = stage(left)
            rejects += [_reject(scored, reason) for scored, reason in zip(left, reasons, strict=True) if reason]
            entered = len(left)
            left = [scored for scored, reason in zip(left, reasons, strict=True) if not reason]
            stages.append({"stage": name, "entered": entered, "left": len(left)})
        kept = [scored.row() for scored in left]
        funnel = {
            "generated": generated,
            "kept": len(kept),
            "rejected": dict(Counter(reject.reason for reject in rejects).most_common()),
            "stages": stages,
            "judged": self.judged,
            "statistics": {**describe(kept, [scored.tokens for scored in left]), **self._spread(kept)},
        }
        return Filtered(kept, rejects, funnel)

    def _spread(self, kept: Sequence[Pair]) -> dict[str, float]:
        """``cluster_entropy`` of an even sample, where there is a dense encoder to tell."""
        if self.embedder is None or not kept or not self.config.entropy_queries:
            return {}
        queries = [pair.query for pair in evenly(kept, self.config.entropy_queries)]
        return {"cluster_entropy": round(cluster_entropy(self.embedder.encode(queries, "query")), 4)}

    def _stages(self) -> list[tuple[str, Callable[[list[Scored]], list[str]]]]:
        stages: list[tuple[str, Callable[[list[Scored]], list[str]]]] = [
            ("passage", self._measure),
            ("length", self._each(checks.length)),
            ("language", self._each(checks.language)),
            ("leakage", self._each(checks.leakage)),
            ("form", self._each(checks.form)),
            ("copy", self._each(checks.copy)),
            ("personal_data", self._each(checks.personal)),
            ("duplicate", self._duplicates),
        ]
        if self.evaluated:
            stages.insert(1, ("evaluation_query", self._evaluated))
        if self.embedder is not None and self.config.near_duplicate_cosine:
            stages.append(("near_duplicate", self._near_duplicates))
        if self.config.round_trip_rank:
            stages.append(("round_trip", self._round_trip))
        if self.embedder is not None and self.config.dense_round_trip_rank:
            stages.append(("dense_round_trip", self._dense_round_trip))
        if self.writer is not None:
            stages.append(("judge", self._judge))
        if self.config.max_copies < 1:
            stages.append(("copies", self._copies))
        return stages

    def _scored(self, pairs: Sequence[Pair]) -> list[Scored]:
        tokens = content_morphemes_of([pair.query for pair in pairs])
        return [Scored(pair, query) for pair, query in zip(pairs, tokens, strict=True)]

    def _each(self, check: Check) -> Callable[[list[Scored]], list[str]]:
        return lambda scored: [check(one, self.config) for one in scored]

    def _measure(self, scored: list[Scored]) -> list[str]:
        """Compare each query with its passage; ``unknown_passage`` when there is none of that id."""
        waiting: dict[str, list[Scored]] = defaultdict(list)
        for one in scored:
            waiting[one.pair.passage_id].append(one)
        rows = enumerate(self.passages)
        while block := list(islice(rows, _BLOCK)):
            token_lists = content_morphemes_of([passage.text for _, passage in block])
            self.counts.add(token_lists)
            for (place, passage), tokens in zip(block, token_lists, strict=True):
                for one in waiting.pop(passage.id, ()):
                    one.place = place
                    one.scores.update(closeness(one.tokens, tokens))
        return ["unknown_passage" if one.place < 0 else "" for one in scored]

    def _evaluated(self, scored: list[Scored]) -> list[str]:
        """``evaluation_query`` for those that equal one but for case, spaces and punctuation."""
        return ["evaluation_query" if query_key(one.pair.query) in self.evaluated else "" for one in scored]

    def _duplicates(self, scored: list[Scored]) -> list[str]:
        """``duplicate`` for all but the first of those that say the same."""
        seen: set[tuple[object, ...]] = set()
        reasons = []
        for one in scored:
            key = checks.duplicate_key(one, numbers(one.pair.query))
            reasons.append("duplicate" if key in seen else "")
            seen.add(key)
        return reasons

    def _near_duplicates(self, scored: list[Scored]) -> list[str]:
        """``near_duplicate`` for a query that says nearly the same as an earlier one; written passages are left out."""
        assert self.embedder is not None
        embedder = self.embedder
        asked = [row for row, one in enumerate(scored) if one.pair.origin != "query_to_document"]
        found = near_duplicates(
            [scored[row].pair.query for row in asked],
            [scored[row].tokens for row in asked],
            min_jaccard=self.config.near_duplicate_jaccard,
            min_cosine=self.config.near_duplicate_cosine,
            encode=lambda texts: embedder.encode(texts, "query"),
        )
        repeated = {asked[row] for row in found}
        return ["near_duplicate" if row in repeated else "" for row in range(len(scored))]

    def _dense_round_trip(self, scored: list[Scored]) -> list[str]:
        """``dense_round_trip`` when the dense encoder does not find the passage either."""
        assert self.embedder is not None
        for one, rank in zip(scored, dense_ranks(scored, self.passages, self.embedder), strict=True):
            one.scores["dense_rank"] = float(rank)
        limit = self.config.dense_round_trip_rank
        lost = [one.scores["dense_rank"] > limit and one.pair.is_answered for one in scored]
        return ["dense_round_trip" if each else "" for each in lost]

    def _round_trip(self, scored: list[Scored]) -> list[str]:
        """``round_trip`` when a query does not find its passage; asked only of passages said to answer it."""
        limit = self.config.round_trip_rank
        reasons = []
        ranks = self.counts.ranks([one.tokens for one in scored], [one.place for one in scored])
        for one, rank in zip(scored, ranks, strict=True):
            if rank is not None:
                one.scores["round_trip_rank"] = float(rank)
            lost = rank is None or rank > limit
            reasons.append("round_trip" if lost and one.pair.is_answered else "")
        return reasons

    def _copies(self, scored: list[Scored]) -> list[str]:
        """``too_many_copies`` for those over the share allowed; those that stay are spread over the set."""
        copied = [row for row, one in enumerate(scored) if one.scores["order_share"] > COPIED]
        share = self.config.max_copies
        allowed = int(share / (1 - share) * (len(scored) - len(copied)))
        left_out = set(copied).difference(evenly(copied, allowed) if allowed else [])
        return ["too_many_copies" if row in left_out else "" for row in range(len(scored))]

    def _judge(self, scored: list[Scored]) -> list[str]:
        """``judge`` when the model says that the passage does not answer; the unasked stay, without the score.

        Pairs of a low grade are not meant to be answered, so they are not asked about.
        """
        assert self.writer is not None
        answering = choose([one for one in scored if one.pair.is_answered], self.config.max_judged)
        wanted = {one.pair.passage_id for one in answering}
        self.judged = judge(
            answering,
            {passage.id: passage for passage in self.passages if passage.id in wanted},
            self.writer,
            limit=self.config.max_judged,
            together=self.config.judge_together,
            characters=self.config.excerpt_characters,
        )
        floor = self.config.min_judge_score
        return ["judge" if one.scores.get("judge", math.inf) < floor else "" for one in scored]


def _reject(scored: Scored, reason: str) -> Reject:
    row = scored.row()
    return Reject(stage=STAGE, reason=reason, where=row.id, row=row.model_dump(exclude_defaults=True))


def require_kept(filtered: Filtered) -> None:
    """Stop when no pair is left, saying which filter ate them.

    Raises:
        InputError: Nothing was kept.
    """
    if filtered.kept:
        return
    eaten = ", ".join(f"{reason} {count}" for reason, count in filtered.funnel["rejected"].items())
    worst = next(iter(filtered.funnel["rejected"]), None)
    what = f"none of {filtered.funnel['generated']} synthetic pairs was kept" if worst else "no pairs were generated"
    fix = (
        f"Most went to {worst!r}: read some of the rejects, then change the config of filter_pairs or the prompt."
        if worst
        else "See the metrics of generate_queries: give it a longer budget_seconds, or more passages with Korean text."
    )
    raise InputError(what + (f"; rejected: {eaten}" if eaten else ""), where=STAGE, fix=fix)
