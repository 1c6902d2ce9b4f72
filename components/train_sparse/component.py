"""KFP wrapper of ``kosparse.steps.train_sparse``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.GPU, install_kfp_package=False)
def train_sparse(
    training_set: dsl.Input[dsl.Dataset],
    backbone: dsl.Input[dsl.Model],
    idf: dsl.Input[dsl.Artifact],
    trends: dsl.Input[dsl.Artifact],
    dictionary: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    history: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Train the sparse encoder on what the teachers and the synthetic pairs say.

    Args:
        training_set: Folder of ``build_training_set``.
        backbone: Folder of ``prepare_backbone``.
        idf: JSON: ``{token: weight}``.
        trends: JSON: ``{note, terms: {term: boost}}``.
        dictionary: ``SynonymEntry`` rows.
        config: ``kosparse.config.TrainSparseConfig`` as a JSON object.

    Returns:
        model: Folder: a sentence-transformers ``SparseEncoder``.
        history: JSON lines: step, seconds, losses.
        metrics: Counts and seconds.
    """
    from kosparse.steps import train_sparse as step

    numbers = step.run(
        config=config,
        training_set=training_set.path,
        backbone=backbone.path,
        idf=idf.path,
        trends=trends.path,
        dictionary=dictionary.path,
        model=model.path,
        history=history.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
