"""KFP wrapper of ``kosparse.steps.serve_llm``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def serve_llm(
    llm: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Start the language model server, or check the one that is given.

    Args:
        llm: JSON: model, revision, effective quantization, context length, schema support.
        metrics: Counts and seconds.
        config: ``kosparse.config.ServeLlmConfig`` as a JSON object.
    """
    from kosparse.steps import serve_llm as step

    numbers = step.run(
        config=config,
        llm=llm.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
