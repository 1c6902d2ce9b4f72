"""KFP wrapper of ``kosparse.steps.report``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def report(
    prerequisites: dsl.Input[dsl.Artifact],
    corpus_summary: dsl.Input[dsl.Artifact],
    llm: dsl.Input[dsl.Artifact],
    calibration: dsl.Input[dsl.Artifact],
    dictionary_summary: dsl.Input[dsl.Artifact],
    dictionary: dsl.Input[dsl.Dataset],
    funnel: dsl.Input[dsl.Artifact],
    kept: dsl.Input[dsl.Dataset],
    rejects: dsl.Input[dsl.Dataset],
    training_set: dsl.Input[dsl.Dataset],
    history: dsl.Input[dsl.Artifact],
    trends: dsl.Input[dsl.Artifact],
    results: dsl.Input[dsl.Artifact],
    html: dsl.Output[dsl.HTML],
    markdown: dsl.Output[dsl.Markdown],
    summary: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Write the report that decides: one HTML file, from artifacts; time and cost of the steps are the tracker's.

    Args:
        prerequisites: What was checked.
        corpus_summary: Counts and content hash.
        llm: The language model.
        calibration: How well probabilities are calibrated.
        dictionary_summary: Dictionary before and after.
        dictionary: ``SynonymEntry`` rows.
        funnel: Pairs generated, kept, rejected.
        kept: ``Pair`` rows.
        rejects: ``Reject`` rows.
        training_set: What was trained on.
        history: How training went.
        trends: Rising terms.
        results: Measured quality.
        config: ``kosparse.config.ReportConfig`` as a JSON object.

    Returns:
        html: One self-contained page.
        markdown: The same in short, for the pipeline's page.
        summary: JSON: the numbers, under stable keys.
        metrics: Counts and seconds.
    """
    from kosparse.steps import report as step

    numbers = step.run(
        config=config,
        prerequisites=prerequisites.path,
        corpus_summary=corpus_summary.path,
        llm=llm.path,
        calibration=calibration.path,
        dictionary_summary=dictionary_summary.path,
        dictionary=dictionary.path,
        funnel=funnel.path,
        kept=kept.path,
        rejects=rejects.path,
        training_set=training_set.path,
        history=history.path,
        trends=trends.path,
        results=results.path,
        html=html.path,
        markdown=markdown.path,
        summary=summary.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
