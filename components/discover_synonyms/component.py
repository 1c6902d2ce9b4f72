"""KFP wrapper of ``kosparse.steps.discover_synonyms``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def discover_synonyms(
    verdicts: dsl.Input[dsl.Dataset],
    documents: dsl.Input[dsl.Dataset],
    llm: dsl.Input[dsl.Artifact],
    discovered: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Let the language model propose further synonyms, verified the same way.

    Args:
        verdicts: ``Verdict`` rows of mined candidates.
        documents: ``Document`` rows: proposals are looked up in them.
        llm: What ``serve_llm`` found.
        config: ``kosparse.config.DiscoverSynonymsConfig`` as a JSON object.

    Returns:
        discovered: ``Verdict`` rows of proposals.
        metrics: Counts and seconds.
    """
    from kosparse.steps import discover_synonyms as step

    numbers = step.run(
        config=config,
        verdicts=verdicts.path,
        documents=documents.path,
        llm=llm.path,
        discovered=discovered.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
