"""Keeps model libraries from drawing their own bars and load reports over our progress."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Only errors from transformers are shown inside; its earlier settings come back after.

    Bars it draws whatever the settings say are shown on a terminal only.
    """
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
