"""KFP wrapper of ``kosparse.steps.stop_llm``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def stop_llm(
    stopped: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Stop the language model server, whatever happened before.

    Args:
        config: ``kosparse.config.StopLlmConfig`` as a JSON object.

    Returns:
        stopped: JSON: whether a server was stopped.
        metrics: Counts and seconds.
    """
    from kosparse.steps import stop_llm as step

    numbers = step.run(
        config=config,
        stopped=stopped.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
