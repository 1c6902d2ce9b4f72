"""KFP wrapper of ``kosparse.steps.mine_synonyms``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.GPU, install_kfp_package=False)
def mine_synonyms(
    documents: dsl.Input[dsl.Dataset],
    parallel: dsl.Input[dsl.Dataset],
    candidates: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Mine Korean-English synonym candidates from documents, aligned text and embeddings.

    Args:
        documents: ``Document`` rows.
        parallel: ``AlignedText`` rows, possibly none.
        config: ``kosparse.config.MineSynonymsConfig`` as a JSON object.

    Returns:
        candidates: ``SynonymCandidate`` rows.
        rejects: ``Reject`` rows.
        metrics: Counts and seconds.
    """
    from kosparse.steps import mine_synonyms as step

    numbers = step.run(
        config=config,
        documents=documents.path,
        parallel=parallel.path,
        candidates=candidates.path,
        rejects=rejects.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
