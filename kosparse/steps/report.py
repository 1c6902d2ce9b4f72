"""``report``: what a person needs to say yes or no, from artifacts; time and cost of the steps are the tracker's."""

from __future__ import annotations

from kosparse import progress
from kosparse.config import ReportConfig
from kosparse.errors import ServiceError
from kosparse.evaluation.report_data import gather, summary_of
from kosparse.evaluation.report_html import render_html, render_markdown
from kosparse.evaluation.verdict import judge
from kosparse.jsonl import write_json, write_lines
from kosparse.settings import settings
from kosparse.steps.runtime import InPath, Metrics, OutPath, step

_LEVELS = {"bad": -1.0, "unclear": 0.0, "good": 1.0}


def tracked(run_id: str) -> dict[str, dict[str, float]]:
    """What the tracker says the steps of a run took; nothing where there is none, or it does not answer."""
    if not settings().mlflow_uri:
        return {}
    from kosparse.adapters.tracking_mlflow import MlflowTracker

    try:
        return MlflowTracker(settings().mlflow_uri).steps(run_id)
    except ServiceError as error:
        progress.note(f"the report has no table of time and cost: {error.what}")
        return {}


@step
def run(
    config: ReportConfig,
    *,
    prerequisites: InPath,
    corpus_summary: InPath,
    llm: InPath,
    calibration: InPath,
    dictionary_summary: InPath,
    dictionary: InPath,
    funnel: InPath,
    kept: InPath,
    rejects: InPath,
    training_set: InPath,
    history: InPath,
    trends: InPath,
    results: InPath,
    html: OutPath,
    markdown: OutPath,
    summary: OutPath,
) -> Metrics:
    """Write the page, a Markdown summary and the documented numbers; return the verdict (-1, 0 or 1)."""
    data = gather(
        {
            "prerequisites": prerequisites,
            "corpus_summary": corpus_summary,
            "llm": llm,
            "calibration": calibration,
            "dictionary_summary": dictionary_summary,
            "dictionary": dictionary,
            "funnel": funnel,
            "kept": kept,
            "rejects": rejects,
            "training_set": training_set,
            "history": history,
            "trends": trends,
            "results": results,
        },
        config.examples,
        tracked(settings().run_id),
    )
    run_id = data.prerequisites.get("run_id") or settings().run_id
    write_lines(html, [render_html(data, run_id=run_id, examples=config.examples)])
    write_lines(markdown, [render_markdown(data, run_id=run_id).rstrip()])
    write_json(summary, summary_of(data))
    return {"verdict": _LEVELS[judge(data.results).level]}
