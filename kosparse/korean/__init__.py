"""Korean for people whose ``LANG`` is Korean: help, settings and errors. What is not known stays English.

The YAML files beside this one map the English text, ``{}`` where values stand, to the Korean one, ``{0}`` for the first
value.
"""

from __future__ import annotations

import argparse
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from kosparse.errors import KosparseError

_CATALOGUES = ("errors", "help", "settings")


def wanted() -> bool:
    """Whether the environment asks for Korean, by the variables' usual order."""
    language = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return language.startswith("ko")


def message(error: KosparseError) -> str:
    """An error as printed, in Korean where that is wanted and known."""
    if not wanted():
        return error.message
    parts = [(translate(error.what), ""), (error.where, "  어디: "), (translate(error.fix), "  할 일: ")]
    return "\n".join(f"{label}{text}" for text, label in parts if text)


def say(text: str) -> str:
    """A text, in Korean where that is wanted and known."""
    return translate(text) if wanted() else text


def translate(text: str) -> str:
    """The Korean of a text and of the texts within it; the text itself where it is not known.

    >>> translate("there is no corpus.jsonl"), translate("cannot read: Permission denied")
    ('there is no corpus.jsonl', '읽을 수 없습니다: Permission denied')
    """
    if text in (known := catalogue()):
        return known[text].format()
    for pattern, korean in _patterns():
        if match := pattern.fullmatch(text):
            return korean.format(*map(translate, match.groups()))
    return text


def translate_help(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Put a parser's help into Korean, its subcommands' too, where that is wanted."""
    if wanted():
        _walk(parser)
    return parser


@cache
def catalogue() -> dict[str, str]:
    """English to Korean."""
    import yaml

    found: dict[str, str] = {}
    for name in _CATALOGUES:
        text = Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8")
        found |= yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # the one in C where there is one
    return found


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Of the texts with values; the more of a text is fixed, the earlier it is tried."""
    texts = sorted((text for text in catalogue() if "{}" in text), key=lambda text: -len(text.replace("{}", "")))
    return [(_pattern(english), catalogue()[english]) for english in texts]


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(map(re.escape, english.split("{}"))), re.DOTALL)


def _walk(parser: argparse.ArgumentParser) -> None:
    parser.description = translate(parser.description) if parser.description else None
    parser.epilog = translate(parser.epilog) if parser.epilog else None
    for group in parser._action_groups:
        group.title = translate(group.title) if group.title else None
    for action in parser._actions:
        if action.help:
            action.help = translate(action.help)
        if isinstance(action, argparse._SubParsersAction):
            choice: Any
            for choice in action._choices_actions:
                choice.help = translate(choice.help) if choice.help else None
            for inner in {id(found): found for found in action.choices.values()}.values():
                _walk(inner)
