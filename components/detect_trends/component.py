"""KFP wrapper of ``kosparse.steps.detect_trends``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def detect_trends(
    documents: dsl.Input[dsl.Dataset],
    idf: dsl.Input[dsl.Artifact],
    trends: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Find terms that rise over time, where documents are dated.

    Args:
        documents: ``Document`` rows.
        idf: JSON: ``{token: weight}``; boosts are given for its tokens.
        config: ``kosparse.config.DetectTrendsConfig`` as a JSON object.

    Returns:
        trends: JSON: ``{note, terms: {term: boost}}``.
        metrics: Counts and seconds.
    """
    from kosparse.steps import detect_trends as step

    numbers = step.run(
        config=config,
        documents=documents.path,
        idf=idf.path,
        trends=trends.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
