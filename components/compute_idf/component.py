"""KFP wrapper of ``kosparse.steps.compute_idf``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def compute_idf(
    passages: dsl.Input[dsl.Dataset],
    backbone: dsl.Input[dsl.Model],
    idf: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Compute inverse document frequencies of the backbone's vocabulary.

    Args:
        passages: ``Passage`` rows.
        backbone: Folder with ``tokenizer.json``.
        config: ``kosparse.config.ComputeIdfConfig`` as a JSON object.

    Returns:
        idf: JSON: ``{token: weight}``, every weight >= 0.
        metrics: Counts and seconds.
    """
    from kosparse.steps import compute_idf as step

    numbers = step.run(
        config=config,
        passages=passages.path,
        backbone=backbone.path,
        idf=idf.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
