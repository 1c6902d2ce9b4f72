"""KFP wrapper of ``kosparse.steps.export_opensearch``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def export_opensearch(
    model: dsl.Input[dsl.Model],
    idf: dsl.Input[dsl.Artifact],
    synonyms: dsl.Input[dsl.Artifact],
    bundle: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Bundle model, IDF and synonyms for OpenSearch.

    Args:
        model: Folder of ``train_sparse``.
        idf: JSON: ``{token: weight}``.
        synonyms: Folder of synonym files.
        config: ``kosparse.config.ExportOpensearchConfig`` as a JSON object.

    Returns:
        bundle: Folder with a manifest of hashes.
        metrics: Counts and seconds.
    """
    from kosparse.steps import export_opensearch as step

    numbers = step.run(
        config=config,
        model=model.path,
        idf=idf.path,
        synonyms=synonyms.path,
        bundle=bundle.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
