"""KFP wrapper of ``kosparse.steps.check_prerequisites``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def check_prerequisites(
    corpus: str,
    prerequisites: dsl.Output[dsl.Artifact],
    champion: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Check services, disk and credentials, and open the tracking run.

    Args:
        corpus: Where the documents are: a folder, a file or ``s3://bucket/key``.
        config: ``kosparse.config.CheckPrerequisitesConfig`` as a JSON object.

    Returns:
        prerequisites: JSON: what was checked, versions, free disk.
        champion: What the registered model in use measured; names no version where there is none.
        metrics: Counts and seconds.
    """
    from kosparse.steps import check_prerequisites as step

    numbers = step.run(
        config=config,
        corpus=corpus,
        prerequisites=prerequisites.path,
        champion=champion.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
