"""Harmony, the format gpt-oss answers in: reasoning in one channel, the answer in another.

The tokenizer's chat template writes the prompt. What is ours: where a schema stands in it, how the answer is
taken out of the channels, and how an answer is asked for without reasoning. Reasoning is never taken for the
answer: where there is no final channel, there is no answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

FINAL = "<|channel|>final<|message|>"
"""Appended to a prompt, it makes the next token the answer's first."""

_MARKS = ("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>")
_FINAL_MESSAGE = re.compile(
    r"<\|channel\|>\s*final\b[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>(.*?)(?=<\|(?:return|end|call|start)\|>|\Z)",
    re.DOTALL,
)


def speaks_harmony(tokenizer: Any) -> bool:
    """Whether a tokenizer has all of Harmony's marks as tokens."""
    vocabulary = tokenizer.get_vocab() if hasattr(tokenizer, "get_vocab") else {}
    return all(mark in vocabulary for mark in _MARKS)


def with_schema(messages: Sequence[dict[str, str]], schema: Mapping[str, Any]) -> list[dict[str, str]]:
    """The messages with the answer's JSON schema where Harmony has it: at the end of the instructions."""
    text = f"# Response Formats\n\n## answer\n\n{json.dumps(schema, ensure_ascii=False)}"
    first, *rest = messages
    if first["role"] in ("system", "developer"):
        return [{**first, "content": f"{first['content']}\n\n{text}"}, *rest]
    return [{"role": "system", "content": text}, *messages]


def final_answer(text: str) -> str | None:
    """The text of the last final channel, or None when the model never came to it.

    >>> final_answer("<|channel|>analysis<|message|>흠<|end|><|start|>assistant<|channel|>final<|message|>예<|return|>")
    '예'
    >>> final_answer("<|channel|>analysis<|message|>아마 예") is None
    True
    """
    found = _FINAL_MESSAGE.findall(text)
    return found[-1].strip() if found and found[-1].strip() else None
