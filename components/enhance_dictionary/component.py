"""KFP wrapper of ``kosparse.steps.enhance_dictionary``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def enhance_dictionary(
    candidates: dsl.Input[dsl.Dataset],
    verdicts: dsl.Input[dsl.Dataset],
    discovered: dsl.Input[dsl.Dataset],
    dictionary: dsl.Output[dsl.Dataset],
    synonyms: dsl.Output[dsl.Artifact],
    rejects: dsl.Output[dsl.Dataset],
    dictionary_summary: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Merge curated, mined, verified and discovered pairs into the dictionary.

    Args:
        candidates: ``SynonymCandidate`` rows.
        verdicts: ``Verdict`` rows of mined candidates.
        discovered: ``Verdict`` rows of proposals.
        config: ``kosparse.config.EnhanceDictionaryConfig`` as a JSON object.

    Returns:
        dictionary: ``SynonymEntry`` rows.
        synonyms: Folder: Solr/OpenSearch synonym files and a TSV.
        rejects: ``Reject`` rows: what did not reach the threshold.
        dictionary_summary: JSON: size before and after, by source and relation.
        metrics: Counts and seconds.
    """
    from kosparse.steps import enhance_dictionary as step

    numbers = step.run(
        config=config,
        candidates=candidates.path,
        verdicts=verdicts.path,
        discovered=discovered.path,
        dictionary=dictionary.path,
        synonyms=synonyms.path,
        rejects=rejects.path,
        dictionary_summary=dictionary_summary.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
