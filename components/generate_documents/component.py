"""KFP wrapper of ``kosparse.steps.generate_documents``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def generate_documents(
    pairs: dsl.Input[dsl.Dataset],
    logged: dsl.Input[dsl.Dataset],
    llm: dsl.Input[dsl.Artifact],
    generated: dsl.Output[dsl.Dataset],
    generated_passages: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Write passages for queries, at graded relevance.

    Args:
        pairs: ``Pair`` rows: their queries are answered.
        logged: ``LoggedQuery`` rows: what people really typed comes first.
        llm: What ``serve_llm`` found.
        config: ``kosparse.config.GenerateDocumentsConfig`` as a JSON object.

    Returns:
        generated: ``Pair`` rows.
        generated_passages: ``Passage`` rows of synthetic documents.
        rejects: ``Reject`` rows: unusable answers.
        metrics: Counts and seconds.
    """
    from kosparse.steps import generate_documents as step

    numbers = step.run(
        config=config,
        pairs=pairs.path,
        logged=logged.path,
        llm=llm.path,
        generated=generated.path,
        generated_passages=generated_passages.path,
        rejects=rejects.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
