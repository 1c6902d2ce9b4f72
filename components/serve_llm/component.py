"""KFP wrapper of ``kosparse.steps.serve_llm``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def serve_llm(
    gpu_type: str,
    llm_secret: str,
    llm: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Start the language model server, or check the one that is given.

    Args:
        gpu_type: The resource GPUs are asked for as.
        llm_secret: Secret with ``api_key`` of the language model.
        config: ``kosparse.config.ServeLlmConfig`` as a JSON object.

    Returns:
        llm: JSON: model, revision, effective quantization, context length, schema support.
        metrics: Counts and seconds.
    """
    from kosparse.steps import serve_llm as step

    numbers = step.run(
        config=config,
        gpu_type=gpu_type,
        llm_secret=llm_secret,
        llm=llm.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
