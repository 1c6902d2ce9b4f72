"""The dictionary as one page to browse and correct; what it saves is a curated file for the next run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import jinja2

from kosparse.records import SynonymEntry

_TEMPLATES = [Path(__file__).parent / "templates", Path(__file__).parents[1] / "evaluation" / "templates"]


def dictionary_page(entries: Sequence[SynonymEntry]) -> str:
    """A self-contained HTML page: find, sort by probability, decide ``same``, ``one_way`` or ``wrong``, add pairs.

    It loads nothing from elsewhere and runs no script but its own; terms are data there, never markup.
    """
    rows = [
        {
            "ko": entry.ko,
            "en": entry.en,
            "p": round(entry.p, 4),
            "relation": entry.relation if entry.direction == "both" else f"{entry.relation} ({entry.direction})",
            "sources": ", ".join(entry.sources),
            "examples": entry.examples[:2],
        }
        for entry in entries
    ]
    data = json.dumps(rows, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "").replace("\u2029", "")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("dictionary.html.jinja").render(
        data=data, entries=len(rows), key=hashlib.sha256(data.encode()).hexdigest()[:12]
    )
