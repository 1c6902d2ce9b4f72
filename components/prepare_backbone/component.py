"""KFP wrapper of ``kosparse.steps.prepare_backbone``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.GPU, install_kfp_package=False)
def prepare_backbone(
    passages: dsl.Input[dsl.Dataset],
    parallel: dsl.Input[dsl.Dataset],
    backbone: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Turn an encoder into a backbone whose vectors are sparse from the start.

    Args:
        passages: ``Passage`` rows: the vocabulary is pruned to them.
        parallel: ``AlignedText`` rows: their words stay in the vocabulary too.
        config: ``kosparse.config.PrepareBackboneConfig`` as a JSON object.

    Returns:
        backbone: Folder: ``BertForMaskedLM``, ``tokenizer.json``, ``backbone.json``.
        metrics: Counts and seconds.
    """
    from kosparse.steps import prepare_backbone as step

    numbers = step.run(
        config=config,
        passages=passages.path,
        parallel=parallel.path,
        backbone=backbone.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
