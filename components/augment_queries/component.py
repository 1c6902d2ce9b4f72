"""KFP wrapper of ``kosparse.steps.augment_queries``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def augment_queries(
    pairs: dsl.Input[dsl.Dataset],
    dictionary: dsl.Input[dsl.Dataset],
    llm: dsl.Input[dsl.Artifact],
    augmented: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Paraphrase queries, and swap dictionary terms on the query side.

    Args:
        pairs: ``Pair`` rows.
        dictionary: ``SynonymEntry`` rows.
        llm: What ``serve_llm`` found.
        config: ``kosparse.config.AugmentQueriesConfig`` as a JSON object.

    Returns:
        augmented: ``Pair`` rows.
        rejects: ``Reject`` rows: unusable answers.
        metrics: Counts and seconds.
    """
    from kosparse.steps import augment_queries as step

    numbers = step.run(
        config=config,
        pairs=pairs.path,
        dictionary=dictionary.path,
        llm=llm.path,
        augmented=augmented.path,
        rejects=rejects.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
