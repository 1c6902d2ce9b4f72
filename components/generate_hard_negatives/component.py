"""KFP wrapper of ``kosparse.steps.generate_hard_negatives``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def generate_hard_negatives(
    pairs: dsl.Input[dsl.Dataset],
    passages: dsl.Input[dsl.Dataset],
    llm: dsl.Input[dsl.Artifact],
    negatives: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Write passages that look right and do not answer, labelled by how they are wrong.

    Args:
        pairs: ``Pair`` rows.
        passages: ``Passage`` rows.
        llm: What ``serve_llm`` found.
        config: ``kosparse.config.GenerateHardNegativesConfig`` as a JSON object.

    Returns:
        negatives: ``NegativeDoc`` rows.
        rejects: ``Reject`` rows: unusable answers.
        metrics: Counts and seconds.
    """
    from kosparse.steps import generate_hard_negatives as step

    numbers = step.run(
        config=config,
        pairs=pairs.path,
        passages=passages.path,
        llm=llm.path,
        negatives=negatives.path,
        rejects=rejects.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
