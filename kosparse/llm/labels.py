"""Answers as probabilities of a label's first token, never as words in the text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from kosparse.records import Completion


def log_odds(completion: Completion, positive: Sequence[str], negative: Sequence[str]) -> float | None:
    """``ln(p(positive) / p(negative))`` from the first token's alternatives.

    A label's spellings (예, yes, Yes ...) are summed. A token counts for a label when it is one of its
    spellings or begins one (``아`` for ``아니오``: tokenizers cut words) and begins none of the other's;
    white space around it does not matter. A label that is not among the alternatives is taken to be as
    likely as the weakest of them, which bounds it from above and keeps the result finite.

    Args:
        completion: Answered with ``top_logprobs`` > 0.
        positive: Spellings of the label that makes the result positive.
        negative: Spellings of the other one.

    Returns:
        Natural-log odds, or None when neither label is among the alternatives.
    """
    return _odds(completion.first_token_logprobs, positive, negative)


def numbered_log_odds(
    completion: Completion, count: int, positive: Sequence[str], negative: Sequence[str]
) -> list[float | None]:
    """``log_odds`` of each line of an answer such as ``1. 예\\n2. 아니오``.

    Args:
        completion: Answered with ``top_logprobs`` > 0 and ``every_token``.
        count: How many lines there should be, numbered from 1.
        positive: Spellings of the label that makes a result positive.
        negative: Spellings of the other one.

    Returns:
        One value per number; None where its line is missing or holds neither label. Of two lines with one
        number the first counts.
    """
    odds: list[float | None] = [None] * count
    seen = set()
    written = "".join(token.text for token in completion.tokens)
    for line in _NUMBERED.finditer(written):
        number = int(line[1])
        if number in seen or not 1 <= number <= count:
            continue
        seen.add(number)
        odds[number - 1] = _odds(_alternatives_at(completion, line.end()), positive, negative)
    return odds


_NUMBERED = re.compile(r"^\s*(\d{1,3})\s*[.):]\s*(?=\S)", re.MULTILINE)


def _alternatives_at(completion: Completion, place: int) -> Mapping[str, float]:
    """Of the token that holds the character at ``place``."""
    end = 0
    for token in completion.tokens:
        end += len(token.text)
        if place < end:
            return token.logprobs
    return {}


def _odds(alternatives: Mapping[str, float], positive: Sequence[str], negative: Sequence[str]) -> float | None:
    p_positive = _mass(alternatives, positive, negative)
    p_negative = _mass(alternatives, negative, positive)
    if p_positive == 0.0 and p_negative == 0.0:
        return None
    floor = math.exp(min(alternatives.values()))
    return math.log(p_positive or floor) - math.log(p_negative or floor)


def swapped_log_odds(
    straight: Completion, swapped: Completion, first: Sequence[str], second: Sequence[str]
) -> float | None:
    """Log-odds of a yes to a question asked twice, the two labels standing for each other's meaning the second time.

    ``straight`` comes from the question in which ``first`` means yes, ``swapped`` from the one in which ``second``
    does. A model's liking for a label, or for the place it is offered in, is in both with opposite sign and
    goes out in the mean (Zhao et al., 2021, correct it by one content-free question instead).

    Args:
        straight: Answered with ``top_logprobs`` > 0, over HTTP or in-process.
        swapped: Likewise.
        first: Spellings of one label, such as ``["A"]``.
        second: Spellings of the other.

    Returns:
        Natural-log odds of yes, or None when either answer holds neither label.
    """
    odds = log_odds(straight, first, second), log_odds(swapped, second, first)
    return None if odds[0] is None or odds[1] is None else (odds[0] + odds[1]) / 2


def label_log_probabilities(completion: Completion, labels: Sequence[str]) -> list[float] | None:
    """Natural-log probability of each of several labels of one letter, from the first token's alternatives.

    A label that is not among them is taken to be as likely as the weakest of them.

    Args:
        completion: Answered with ``top_logprobs`` > 0.
        labels: At least one.

    Returns:
        One value per label, or None when none of them is among the alternatives.
    """
    alternatives = completion.first_token_logprobs
    mass = [_mass(alternatives, [label], ()) for label in labels]
    if not any(mass):
        return None
    floor = min(alternatives.values())
    return [math.log(p) if p else floor for p in mass]


def _mass(alternatives: Mapping[str, float], spellings: Sequence[str], others: Sequence[str]) -> float:
    """Summed probability of the tokens that begin one of the spellings and none of the others."""
    return sum(
        math.exp(logprob)
        for token, logprob in alternatives.items()
        if _begins(token.strip(), spellings) and not _begins(token.strip(), others)
    )


def _begins(token: str, spellings: Sequence[str]) -> bool:
    return bool(token) and any(spelling.startswith(token) for spelling in spellings)
