"""Does the passage answer the query? By the probabilities of 예 and 아니오, never by the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kosparse import prompts
from kosparse.llm.labels import log_odds
from kosparse.ports import ChatRequest
from kosparse.prompts import Prompt
from kosparse.records import Completion, Passage
from kosparse.synthetic.passages import excerpt
from kosparse.synthetic.scores import Scored
from kosparse.synthetic.writer import Writer, stable_number

_ALTERNATIVES = 20


def judge(
    survivors: Sequence[Scored], passages: Mapping[str, Passage], writer: Writer, *, limit: int, characters: int
) -> int:
    """Put the score ``judge`` on at most ``limit`` pairs, all pairs of a passage together.

    Args:
        survivors: Pairs that passed everything cheaper.
        passages: By id.
        writer: The judging model and its budget.
        limit: Most pairs asked about.
        characters: Length of the excerpt, the one the query was written from.

    Returns:
        How many were judged. An answer that is neither label leaves its pair without the score.
    """
    prompt = prompts.load("judge_relevance")
    chosen = choose(survivors, limit)
    requests = [request(scored, passages[scored.pair.passage_id], writer, prompt, characters) for scored in chosen]
    answers = writer.ask(requests, "judge")
    judged = 0
    for scored, answer in zip(chosen, answers, strict=True):
        score = parse(answer, prompt) if isinstance(answer, Completion) else None
        if score is not None:
            scored.scores["judge"] = score
            judged += 1
    return judged


def choose(survivors: Sequence[Scored], limit: int) -> list[Scored]:
    """At most ``limit`` pairs: passages in a fixed random order, a passage's pairs next to each other.

    They share the passage, so the server reads it once.
    """
    order = sorted(survivors, key=lambda scored: stable_number("judge", scored.pair.passage_id))
    return order[:limit]


def request(scored: Scored, passage: Passage, writer: Writer, prompt: Prompt, characters: int) -> ChatRequest:
    """Ask for one word and the probabilities of its rivals."""
    asked = writer.request(prompt, passage=excerpt(passage, characters), query=scored.pair.query)
    return replace(asked, top_logprobs=_ALTERNATIVES)


def parse(completion: Completion, prompt: Prompt) -> float | None:
    """Log-odds of the prompt's first label against its second."""
    positive, negative = prompt.labels
    return log_odds(completion, [positive], [negative])
