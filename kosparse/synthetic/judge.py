"""Does the passage answer the queries? By the probabilities of 예 and 아니오, never by the words."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kosparse import prompts
from kosparse.llm.labels import numbered_log_odds
from kosparse.ports import ChatRequest
from kosparse.prompts import Prompt
from kosparse.records import Completion, Passage
from kosparse.synthetic.passages import excerpt
from kosparse.synthetic.scores import Scored
from kosparse.synthetic.writer import Writer, stable_number

_ALTERNATIVES = 20


def judge(
    survivors: Sequence[Scored],
    passages: Mapping[str, Passage],
    writer: Writer,
    *,
    limit: int,
    together: int,
    characters: int,
) -> int:
    """Put the score ``judge`` on at most ``limit`` pairs, the queries of a passage in one question.

    Args:
        survivors: Pairs that passed everything cheaper.
        passages: By id.
        writer: The judging model and its budget.
        limit: Most pairs asked about.
        together: Most queries of a passage in one question.
        characters: Length of the excerpt, the one the query was written from.

    Returns:
        How many were judged. A query whose line is missing, or holds neither label, stays without the score.
    """
    prompt = prompts.load("judge_queries")
    groups = grouped(choose(survivors, limit), together)
    requests = [request(group, passages[group[0].pair.passage_id], writer, prompt, characters) for group in groups]
    judged = 0
    for group, answer in zip(groups, writer.ask(requests, "judge"), strict=True):
        odds = parse(answer, len(group), prompt) if isinstance(answer, Completion) else [None] * len(group)
        for scored, score in zip(group, odds, strict=True):
            if score is not None:
                scored.scores["judge"] = score
                judged += 1
    return judged


def choose(survivors: Sequence[Scored], limit: int) -> list[Scored]:
    """At most ``limit`` pairs: passages in a fixed random order, a passage's pairs next to each other."""
    order = sorted(survivors, key=lambda scored: (stable_number("judge", _passage(scored)), _passage(scored)))
    return order[:limit]


def grouped(chosen: Sequence[Scored], together: int) -> list[list[Scored]]:
    """The pairs of each passage in turn, at most ``together`` in a group."""
    passages = [list(group) for _, group in itertools.groupby(chosen, key=_passage)]
    return [group[at : at + together] for group in passages for at in range(0, len(group), together)]


def _passage(scored: Scored) -> str:
    return scored.pair.passage_id


def request(group: Sequence[Scored], passage: Passage, writer: Writer, prompt: Prompt, characters: int) -> ChatRequest:
    """Ask for one numbered word per query and the probabilities of its rivals."""
    queries = [scored.pair.query for scored in group]
    asked = writer.request(prompt, passage=excerpt(passage, characters), queries=queries)
    room = writer.max_tokens * len(group)
    return replace(asked, max_tokens=room, top_logprobs=_ALTERNATIVES, every_token=True)


def parse(completion: Completion, count: int, prompt: Prompt) -> list[float | None]:
    """Log-odds of the prompt's first label against its second, for each of ``count`` queries."""
    positive, negative = prompt.labels
    return numbered_log_odds(completion, count, [positive], [negative])
