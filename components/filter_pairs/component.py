"""KFP wrapper of ``kosparse.steps.filter_pairs``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def filter_pairs(
    passages: dsl.Input[dsl.Dataset],
    pairs: dsl.Input[dsl.Dataset],
    augmented: dsl.Input[dsl.Dataset],
    generated: dsl.Input[dsl.Dataset],
    generated_passages: dsl.Input[dsl.Dataset],
    query_rejects: dsl.Input[dsl.Dataset],
    augmented_rejects: dsl.Input[dsl.Dataset],
    generated_rejects: dsl.Input[dsl.Dataset],
    evaluation: dsl.Input[dsl.Dataset],
    llm: dsl.Input[dsl.Artifact],
    kept: dsl.Output[dsl.Dataset],
    rejects: dsl.Output[dsl.Dataset],
    funnel: dsl.Output[dsl.Artifact],
    dataset: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Keep the pairs worth training on; every reject has a reason.

    Args:
        passages: ``Passage`` rows.
        pairs: ``Pair`` rows of ``generate_queries``.
        augmented: ``Pair`` rows of ``augment_queries``.
        generated: ``Pair`` rows of ``generate_documents``.
        generated_passages: ``Passage`` rows of synthetic documents.
        query_rejects: ``Reject`` rows of ``generate_queries``.
        augmented_rejects: ``Reject`` rows of ``augment_queries``.
        generated_rejects: ``Reject`` rows of ``generate_documents``.
        evaluation: Queries that no pair may repeat.
        llm: What ``serve_llm`` found.
        config: ``kosparse.config.FilterPairsConfig`` as a JSON object.

    Returns:
        kept: ``Pair`` rows with every score.
        rejects: ``Reject`` rows, those of the earlier steps included.
        funnel: JSON: generated, kept, rejected by reason.
        dataset: Folder: BEIR files, pairs with provenance, card, overview, review sheet.
        metrics: Counts and seconds.
    """
    from kosparse.steps import filter_pairs as step

    numbers = step.run(
        config=config,
        passages=passages.path,
        pairs=pairs.path,
        augmented=augmented.path,
        generated=generated.path,
        generated_passages=generated_passages.path,
        query_rejects=query_rejects.path,
        augmented_rejects=augmented_rejects.path,
        generated_rejects=generated_rejects.path,
        evaluation=evaluation.path,
        llm=llm.path,
        kept=kept.path,
        rejects=rejects.path,
        funnel=funnel.path,
        dataset=dataset.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
