"""KFP wrapper of ``kosparse.steps.build_training_set``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.GPU, install_kfp_package=False)
def build_training_set(
    passages: dsl.Input[dsl.Dataset],
    generated_passages: dsl.Input[dsl.Dataset],
    kept: dsl.Input[dsl.Dataset],
    mined: dsl.Input[dsl.Dataset],
    written: dsl.Input[dsl.Dataset],
    evaluation: dsl.Input[dsl.Dataset],
    dictionary: dsl.Input[dsl.Dataset],
    training_set: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Join synthetic pairs, pseudo-queries, negatives and teacher scores.

    Args:
        passages: ``Passage`` rows.
        generated_passages: ``Passage`` rows of synthetic documents.
        kept: ``Pair`` rows.
        mined: ``NegativeDoc`` rows mined from the collection.
        written: ``NegativeDoc`` rows written by the language model.
        evaluation: Its queries are banned from training.
        dictionary: ``SynonymEntry`` rows.
        config: ``kosparse.config.BuildTrainingSetConfig`` as a JSON object.

    Returns:
        training_set: Folder: queries, teacher scores, negatives, summary.
        metrics: Counts and seconds.
    """
    from kosparse.steps import build_training_set as step

    numbers = step.run(
        config=config,
        passages=passages.path,
        generated_passages=generated_passages.path,
        kept=kept.path,
        mined=mined.path,
        written=written.path,
        evaluation=evaluation.path,
        dictionary=dictionary.path,
        training_set=training_set.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
