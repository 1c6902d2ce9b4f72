"""KFP wrapper of ``kosparse.steps.register_model``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def register_model(
    model: dsl.Input[dsl.Model],
    results: dsl.Input[dsl.Artifact],
    html: dsl.Input[dsl.HTML],
    summary: dsl.Input[dsl.Artifact],
    dictionary: dsl.Input[dsl.Dataset],
    registration: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Register the model for review, as challenger.

    Args:
        model: Folder of ``train_sparse``.
        results: Measured quality.
        html: The report.
        summary: JSON: the numbers.
        dictionary: ``SynonymEntry`` rows.
        config: ``kosparse.config.RegisterModelConfig`` as a JSON object.

    Returns:
        registration: JSON: name, version, alias, url.
        metrics: Counts and seconds.
    """
    from kosparse.steps import register_model as step

    numbers = step.run(
        config=config,
        model=model.path,
        results=results.path,
        html=html.path,
        summary=summary.path,
        dictionary=dictionary.path,
        registration=registration.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
