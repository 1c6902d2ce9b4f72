"""The report: one HTML file that needs nothing else, and a short Markdown of the same.

All text of documents and queries is escaped; the template holds the page, this module what it needs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from kosparse.evaluation import plots
from kosparse.evaluation.metrics import METRICS
from kosparse.evaluation.report_data import ReportData
from kosparse.evaluation.verdict import judge, outcome, p_text

SYSTEMS = {
    "bm25_kiwi": ("BM25 (Kiwi 형태소)", "BM25, Kiwi morphemes"),
    "dense": ("밀집 임베딩", "dense embeddings"),
    "sparse": ("희소 모델 (이번 학습)", "sparse, this model"),
    "fusion": ("희소 + BM25 결합", "fusion of sparse and BM25"),
    "dense_bm25": ("밀집 + BM25 결합", "fusion of dense and BM25, no training"),
    "sparse_dense": ("희소 + 밀집 결합", "fusion of sparse and dense"),
}
_OURS = ("sparse", "fusion", "sparse_dense")
"""Systems in which the trained model takes part."""
_SLICES = {
    "script": ("문자", "script"),
    "shape": ("모양", "shape"),
    "length": ("길이", "length"),
    "language": ("질의의 말", "language of the query"),
    "overlap": ("정답 문서와 겹치는 말", "query terms in the relevant document"),
}
_METRIC_NAMES = {"ndcg@10": "nDCG@10", "mrr@10": "MRR@10", "recall@100": "Recall@100", "map": "MAP"}
_TEMPLATES = Path(__file__).parent / "templates"


def render_html(data: ReportData, *, run_id: str, examples: int) -> str:
    """Render the page.

    Args:
        data: What the artifacts say.
        run_id: The pipeline run, for the heading.
        examples: How many rows of each kind of example.
    """
    return _environment(autoescape=True).get_template("report.html.jinja").render(_context(data, run_id, examples))


def render_markdown(data: ReportData, *, run_id: str) -> str:
    """Render verdict, results and counts as Markdown."""
    return _environment(autoescape=False).get_template("report.md.jinja").render(_context(data, run_id, 0))


def _context(data: ReportData, run_id: str, examples: int) -> dict[str, Any]:
    found = data.results
    return {
        "data": data,
        "found": found,
        "run_id": run_id,
        "verdict": judge(found),
        "metrics": METRICS,
        "metric_names": _METRIC_NAMES,
        "systems": {name: SYSTEMS.get(name, (name, name)) for name in found.systems},
        "ours": _OURS,
        "slices": [(ko, en, [row for row in found.slices if row.by == by]) for by, (ko, en) in _SLICES.items()],
        "pruning": _pruning(data),
        "top": _top(data),
        "funnel": _funnel(data.funnel),
        "curves": plots.training_curves(data.history),
        "kept": _spread(data.kept, examples),
        "entries": _spread(data.entries, examples * 4),
        "examples": examples,
        "lineage": _lineage(data, run_id),
        "costs": _costs(data),
    }


def _top(data: ReportData) -> float:
    """The end of the results' bars: the highest interval, rounded up to a tenth."""
    highest = max(row.intervals[data.results.primary][1] for row in data.results.systems.values())
    return min(1.0, max(0.1, -(-highest * 10 // 1) / 10))


def _pruning(data: ReportData) -> Markup | None:
    """The primary metric over active dimensions, or None where there is nothing to draw."""
    points = [(point.active_dims_doc, point.metric) for point in data.results.pruning]
    return plots.line_chart(sorted(points)) if len({x for x, _ in points}) > 1 else None


def _funnel(funnel: dict[str, Any]) -> list[tuple[str, int]]:
    """Pairs left after each stage, from all that were generated to those kept."""
    stages = [(f"{stage['stage']} 뒤 after", int(stage["left"])) for stage in funnel.get("stages", [])]
    return [("생성 generated", funnel["generated"]), *stages, ("채택 kept", funnel["kept"])]


def _lineage(data: ReportData, run_id: str) -> list[tuple[str, str, str]]:
    llm, before = data.llm, data.prerequisites
    rows = [
        ("실행", "run", run_id),
        ("설정", "recipe", before.get("recipe", "")),
        ("말뭉치 SHA-256", "corpus SHA-256", data.corpus.get("sha256", "")),
        ("모델 SHA-256", "model SHA-256", data.results.model_sha256),
        ("언어 모델", "language model", " ".join(str(llm.get(key, "")) for key in ("model", "revision")).strip()),
        ("양자화", "quantization", llm.get("quantization", "")),
        ("프롬프트", "prompts", ", ".join(data.prompts)),
        ("코드", "git SHA", before.get("git_sha", "")),
        ("이미지", "image digest", before.get("image_digest", "")),
        ("추적", "tracking run", before.get("tracking_run", "")),
        ("버전", "versions", ", ".join(f"{name} {found}" for name, found in before.get("versions", {}).items())),
    ]
    return [(ko, en, str(value)) for ko, en, value in rows if value]


def _costs(data: ReportData) -> list[dict[str, Any]]:
    """A row per step, longest first: its name, seconds, and what it asked the language model; then their sum."""
    columns = ("seconds", "llm_calls", "llm_cached", "llm_prompt_tokens", "llm_completion_tokens", "llm_cost")
    longest_first = sorted(data.steps.items(), key=lambda step: -step[1].get("seconds", 0.0))
    rows = [{"step": name, **{key: took.get(key) for key in columns}} for name, took in longest_first]
    total = {key: sum(took.get(key, 0.0) for took in data.steps.values()) for key in columns}
    return [*rows, {"step": "", **total}] if rows else []


def _spread(rows: list[Any], count: int) -> list[Any]:
    """At most ``count`` rows, evenly over the list."""
    if count <= 0 or not rows:
        return []
    every = max(1, len(rows) // count)
    return rows[::every][:count]


def _environment(*, autoescape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=autoescape,
        # A run of hours must not lose its report to a key that an artifact lacks: it shows as a dash.
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(bar=plots.bar, outcome=outcome, p_text=p_text)
    environment.filters.update(
        number=_number, percent=lambda share: f"{100 * share:.0f} %", size=_size, cell=_cell, weight=_weight
    )
    return environment


def _number(value: Any, digits: int = 0) -> str:
    """A number with thousands separators; a dash for none."""
    return "–" if value is None or isinstance(value, jinja2.Undefined) else f"{float(value):,.{digits}f}"


def _size(count: float | None) -> str:
    """Bytes as a person reads them.

    >>> _size(None), _size(512), _size(2_500_000)
    ('–', '512 B', '2.5 MB')
    """
    if count is None:
        return "–"
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return ""


def _weight(term: dict[str, Any], terms: list[dict[str, Any]]) -> str:
    """A term's weight as a share of the largest, for the depth of its colour: 0.15 to 1."""
    largest = max((float(each["weight"]) for each in terms), default=1.0) or 1.0
    return f"{0.15 + 0.85 * float(term['weight']) / largest:.2f}"


def _cell(text: str) -> str:
    """Text that stays inside its cell of a Markdown table and is shown as written."""
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", " ".join(str(text).split()))
