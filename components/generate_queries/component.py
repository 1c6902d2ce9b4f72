"""KFP wrapper of ``kosparse.steps.generate_queries``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def generate_queries(
    passages: dsl.Input[dsl.Dataset],
    llm: dsl.Input[dsl.Artifact],
    pairs: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Write queries that a person might type to find a passage.

    Args:
        passages: ``Passage`` rows.
        llm: What ``serve_llm`` found.
        config: ``kosparse.config.GenerateQueriesConfig`` as a JSON object.

    Returns:
        pairs: ``Pair`` rows.
        rejects: ``Reject`` rows: unusable answers.
        metrics: Counts and seconds.
    """
    from kosparse.steps import generate_queries as step

    numbers = step.run(
        config=config,
        passages=passages.path,
        llm=llm.path,
        pairs=pairs.path,
        rejects=rejects.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
