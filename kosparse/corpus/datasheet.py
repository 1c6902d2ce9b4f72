"""The data sheet of a collection: one HTML page that needs nothing else (Gebru et al. 2021 for the idea)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from kosparse.evaluation import plots
from kosparse.records import Reject

_TEMPLATES = (Path(__file__).parent / "templates", Path(plots.__file__).parent / "templates")
_MOST_MONTHS = 36


def render(about: Mapping[str, Any], rejects: Sequence[Reject]) -> str:
    """The page.

    Args:
        about: What ``ingest_corpus`` writes to ``corpus_summary``.
        rejects: The first few, as examples.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["bar"] = plots.bar
    months = list(about["months"].items())
    return environment.get_template("datasheet.html.jinja").render(
        about=about, months=months[-_MOST_MONTHS:], more_months=max(0, len(months) - _MOST_MONTHS), rejects=rejects
    )
