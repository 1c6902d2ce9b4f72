"""KFP wrapper of ``kosparse.steps.mine_negatives``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def mine_negatives(
    kept: dsl.Input[dsl.Dataset],
    passages: dsl.Input[dsl.Dataset],
    mined: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Mine passages that rank high for a query and do not answer it.

    Args:
        kept: ``Pair`` rows.
        passages: ``Passage`` rows.
        config: ``kosparse.config.MineNegativesConfig`` as a JSON object.

    Returns:
        mined: ``NegativeDoc`` rows.
        metrics: Counts and seconds.
    """
    from kosparse.steps import mine_negatives as step

    numbers = step.run(
        config=config,
        kept=kept.path,
        passages=passages.path,
        mined=mined.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
