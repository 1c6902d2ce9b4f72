"""``kosparse completion``: what a shell needs to complete commands, steps and their options."""

from __future__ import annotations

import argparse
from importlib import import_module

from kosparse.commands.by_hand import add_options
from kosparse.commands.parser import parser
from kosparse.errors import InputError
from kosparse.steps import STEPS


def run(shell: str) -> None:
    """Print the shell's script.

    Raises:
        InputError: shtab, which writes it, is not installed.
    """
    try:
        import shtab
    except ImportError as error:
        raise InputError("shtab is not installed", where="completion", fix="pip install shtab") from error
    print(shtab.complete(_whole(), shell))


def _whole() -> argparse.ArgumentParser:
    """The parser with the options of every step."""
    whole = parser(STEPS)
    choices = next(action for action in whole._actions if isinstance(action, argparse._SubParsersAction)).choices
    for name in STEPS:
        add_options(choices[name], import_module(f"kosparse.steps.{name}").run)
    return whole
