"""KFP wrapper of ``kosparse.steps.evaluate``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.GPU, install_kfp_package=False)
def evaluate(
    model: dsl.Input[dsl.Model],
    passages: dsl.Input[dsl.Dataset],
    documents: dsl.Input[dsl.Dataset],
    evaluation: dsl.Input[dsl.Dataset],
    training_set: dsl.Input[dsl.Dataset],
    parallel: dsl.Input[dsl.Dataset],
    champion: dsl.Input[dsl.Artifact],
    results: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Measure the model and the baselines on the same judgements.

    Args:
        model: Folder of ``train_sparse``.
        passages: ``Passage`` rows.
        documents: ``Document`` rows.
        evaluation: Queries and judgements.
        training_set: For the contamination check, and held-out synthetic queries where there are no real ones.
        parallel: Aligned text; where there is any, English headings are asked of the Korean pages too.
        champion: What the registered model in use measured, to compare with.
        config: ``kosparse.config.EvaluateConfig`` as a JSON object.

    Returns:
        results: Folder: ``results.json``, ``per_query.jsonl``, ``runs/<system>.trec``.
        metrics: Counts and seconds.
    """
    from kosparse.steps import evaluate as step

    numbers = step.run(
        config=config,
        model=model.path,
        passages=passages.path,
        documents=documents.path,
        evaluation=evaluation.path,
        training_set=training_set.path,
        parallel=parallel.path,
        champion=champion.path,
        results=results.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
