"""Pooled relevance labelling: a user's own queries, the top results of several systems, blind and shuffled.

The way to a first hundred honest judgements where a collection has none: Cranfield's pooling (Voorhees 2001).
One self-contained page shows each pooled document once, without rank or system; what it saves becomes qrels.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from pydantic import BaseModel, ConfigDict, ValidationError

from kosparse.errors import InputError
from kosparse.evaluation.ranking import Run
from kosparse.jsonl import read_lines, write_lines, write_records
from kosparse.records import Qrel, Query

_TEMPLATES = Path(__file__).parent / "templates"
_TEXT = 6000
"""Characters of a document that the page holds."""


@dataclass(frozen=True)
class Page:
    """What a page of judgements asks."""

    name: str
    """Of the saved file, and of what the browser keeps."""
    title: str
    about: str
    grades: tuple[tuple[int, str, str], ...]
    """(value saved, key pressed, words on the button)."""


RELEVANCE = Page(
    "judgements",
    "관련성 판정",
    "Relevance judgements. 어느 시스템이 찾은 문서인지 보이지 않고 순서도 섞여 있습니다. Blind and shuffled.",
    ((2, "2", "정답 relevant"), (1, "1", "일부 partly"), (0, "0", "관련 없음 not relevant")),
)

Pool = dict[str, list[str]]
"""Documents to judge by query id, in the order they are shown."""


class Judged(BaseModel):
    """What the page saves."""

    model_config = ConfigDict(extra="ignore")

    judge: str = ""
    queries: dict[str, str]
    """Text by query id."""
    judgements: dict[str, dict[str, int]]
    """Relevance by query id and document id: 0 not relevant, 1 partly, 2 relevant."""


def read_queries(path: Path) -> dict[str, str]:
    """Read queries to be labelled: a BEIR ``queries.jsonl``, or text with one query per line.

    Repeated queries are taken once; the id of a line is ``q<number>``.

    Raises:
        InputError: The file cannot be read or holds no query.
    """
    queries: dict[str, str] = {}
    for number, line in read_lines(path):
        name, text = _jsonl_query(path, number, line) if path.suffix == ".jsonl" else (f"q{number}", line)
        text = " ".join(text.split())
        if text and text not in queries.values():
            queries[name] = text
    if not queries:
        raise InputError("there is no query here", where=str(path), fix="Write one query per line.")
    return queries


def pool(runs: Sequence[Run], queries: Sequence[str], depth: int, seed: int) -> Pool:
    """Put the best ``depth`` documents of every system together and shuffle them.

    Args:
        runs: One per system.
        queries: Query ids.
        depth: Documents taken from each system, >= 1.
        seed: Of the shuffle, so that the same pool is shown in the same order.
    """
    pooled = {}
    for query_id in queries:
        found = sorted({document for run in runs for document, _ in run.get(query_id, ())[:depth]})
        random.Random(f"{seed} {query_id}").shuffle(found)
        pooled[query_id] = found
    return pooled


def render(
    pooled: Pool, queries: Mapping[str, str], texts: Mapping[str, tuple[str, str]], page: Page = RELEVANCE
) -> str:
    """The page: works from a file, keeps what was judged in the browser, saves one JSON file.

    Args:
        pooled: What to judge.
        queries: Text by query id.
        texts: Title and text by document id, for every pooled document.
        page: What is asked.
    """
    shown = sorted({document for documents in pooled.values() for document in documents})
    content = {
        "queries": [{"id": name, "text": queries[name], "documents": found} for name, found in pooled.items() if found],
        "documents": {name: {"title": texts[name][0], "text": texts[name][1][:_TEXT]} for name in shown},
    }
    # Inside <script>, "</" would end the element whatever the JSON says; "<!--" would open a comment.
    data = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")
    key = hashlib.sha256(data.encode()).hexdigest()[:16]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("label.html.jinja").render(data=data, key=key, page=page)


def read_judged(paths: Sequence[Path]) -> Judged:
    """Read saved judgements of one or several people; where they differ the lower grade counts.

    Raises:
        InputError: A file is not what the page saves, or nothing was judged.
    """
    together = Judged(queries={}, judgements={})
    for path in paths:
        found = read_saved(path)
        together.queries.update(found.queries)
        for query_id, grades in found.judgements.items():
            known = together.judgements.setdefault(query_id, {})
            for document, grade in grades.items():
                known[document] = min(grade, known.get(document, grade))
    if not any(together.judgements.values()):
        raise InputError("nothing was judged", where=", ".join(map(str, paths)), fix="Judge a few and save again.")
    return together


def read_saved(path: Path) -> Judged:
    """Read what one person saved.

    Raises:
        InputError: It is not what a page saves.
    """
    try:
        found = Judged.model_validate_json(path.read_bytes())
    except (OSError, ValidationError, ValueError) as error:
        raise InputError(
            f"not judgements saved by the labelling page: {str(error).splitlines()[0]}",
            where=str(path),
            fix="Save them again with the page's button.",
        ) from error
    strangers = sorted(set(found.judgements) - set(found.queries))
    if strangers:
        raise InputError(
            f"judgements of queries it does not hold: {', '.join(strangers[:5])}",
            where=str(path),
            fix="Save them again with the page's button.",
        )
    return found


def write_qrels(judged: Judged, folder: Path) -> tuple[int, int, int]:
    """Write ``queries.jsonl`` and ``qrels/test.tsv``, ready for ``QUERIES=`` and ``QRELS=``.

    Returns:
        Queries with a relevant document, queries without one, judgements.
    """
    rows = [
        Qrel(query_id=query_id, document_id=document, relevance=grade)
        for query_id, grades in judged.judgements.items()
        for document, grade in grades.items()
    ]
    asked = [name for name, grades in judged.judgements.items() if grades]
    write_records(folder / "queries.jsonl", [Query(id=name, text=judged.queries[name]) for name in asked])
    lines = [f"{row.query_id}\t{row.document_id}\t{row.relevance}" for row in rows]
    write_lines(folder / "qrels" / "test.tsv", ["query-id\tcorpus-id\tscore", *lines])
    useful = sum(any(grade > 0 for grade in judged.judgements[name].values()) for name in asked)
    return useful, len(asked) - useful, len(rows)


def _jsonl_query(path: Path, number: int, line: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
        return str(row.get("_id", row.get("id", f"q{number}"))), str(row["text"])
    except (ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"not a query: {line.strip()[:80]!r}", where=f"{path}:{number}", fix='Write {"_id": ..., "text": ...}.'
        ) from error
