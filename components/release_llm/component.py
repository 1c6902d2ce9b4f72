"""KFP wrapper of ``kosparse.steps.release_llm``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def release_llm(
    released: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Free the accelerator once no step asks the language model any more.

    Args:
        config: ``kosparse.config.ReleaseLlmConfig`` as a JSON object.

    Returns:
        released: JSON: whether a server was stopped.
        metrics: Counts and seconds.
    """
    from kosparse.steps import release_llm as step

    numbers = step.run(
        config=config,
        released=released.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
