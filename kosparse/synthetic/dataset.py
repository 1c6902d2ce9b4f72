"""Filtered pairs as a dataset others can use: BEIR files, provenance, a card, an overview, a sheet to review."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from kosparse.evaluation import plots
from kosparse.jsonl import write_lines, write_records
from kosparse.records import Pair, Passage, Reject
from kosparse.synthetic.filters import Filtered
from kosparse.synthetic.review_sheet import review_sheet
from kosparse.synthetic.statistics import lengths
from kosparse.synthetic.writer import evenly

_TEMPLATES = (Path(__file__).parent / "templates", Path(__file__).parents[1] / "evaluation" / "templates")
_EXAMPLES = 12


def write_dataset(
    folder: Path, filtered: Filtered, passages: Mapping[str, Passage], *, reviewed: int, seed: int
) -> None:
    """Write the dataset into a new folder.

    Args:
        folder: Made here.
        filtered: What ``filter_synthetic_pairs`` gave.
        passages: By id; of all kept pairs at least.
        reviewed: Pairs on the review sheet.
        seed: Of its sample.
    """
    kept = filtered.kept
    used = {pair.passage_id: passages[pair.passage_id] for pair in kept}
    write_lines(folder / "corpus.jsonl", [_line(_id=row.id, title="", text=row.text) for row in used.values()])
    write_lines(folder / "queries.jsonl", [_line(_id=pair.id, text=pair.query) for pair in kept])
    judged = [f"{pair.id}\t{pair.passage_id}\t{pair.grade}" for pair in kept]
    write_lines(folder / "qrels" / "train.tsv", ["query-id\tcorpus-id\tscore", *judged])
    write_records(folder / "pairs.jsonl", kept)
    write_records(folder / "rejected.jsonl", filtered.rejects)
    page, count = review_sheet(kept, filtered.rejects, passages, size=reviewed, seed=seed)
    write_lines(folder / "review.html", [page])
    about = {"funnel": filtered.funnel, "statistics": filtered.funnel["statistics"]}
    write_lines(folder / "README.md", [_card(kept, count, about)])
    write_lines(folder / "overview.html", [_overview(filtered, passages, about)])


def _line(**values: str) -> str:
    return json.dumps(values, ensure_ascii=False)


def _card(kept: Sequence[Pair], reviewed: int, about: Mapping[str, Any]) -> str:
    made_by: dict[str, int] = defaultdict(int)
    for pair in kept:
        if pair.provenance:
            name = f"{pair.provenance.model} ({pair.provenance.quantization}), prompt {pair.provenance.prompt}"
            made_by[name] += 1
    lines = [f"{name}: {count} pairs" for name, count in sorted(made_by.items())]
    context = {**about, "made_by": lines, "reviewed": reviewed}
    return _environment(autoescape=False).get_template("card.md.jinja").render(context)


def _overview(filtered: Filtered, passages: Mapping[str, Passage], about: Mapping[str, Any]) -> str:
    funnel = filtered.funnel
    by_reason: dict[str, list[Reject]] = defaultdict(list)
    for reject in filtered.rejects:
        by_reason[reject.reason].append(reject)
    each = max(1, _EXAMPLES // max(1, len(by_reason)))
    context = {
        **about,
        "stages": [("생성 generated", funnel["generated"])]
        + [(f"{stage['stage']} 뒤 after", stage["left"]) for stage in funnel["stages"]],
        "lengths": lengths([pair.query for pair in filtered.kept]),
        "overlaps": [
            (f"{place / 10:.1f}–{(place + 1) / 10:.1f}", count)
            for place, count in enumerate(funnel["statistics"]["overlap"])
        ],
        "kept": [(pair, passages[pair.passage_id].text[:300]) for pair in evenly(filtered.kept, _EXAMPLES)],
        "rejected": [reject for rejects in by_reason.values() for reject in evenly(rejects, each)],
    }
    return _environment(autoescape=True).get_template("overview.html.jinja").render(context)


def _environment(*, autoescape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=autoescape, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["bar"] = plots.bar
    environment.filters["percent"] = lambda share: f"{100 * share:.1f} %"
    return environment
