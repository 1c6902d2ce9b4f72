"""KFP wrapper of ``kosparse.steps.verify_synonyms``. No logic here."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.CPU, install_kfp_package=False)
def verify_synonyms(
    candidates: dsl.Input[dsl.Dataset],
    llm: dsl.Input[dsl.Artifact],
    verdicts: dsl.Output[dsl.Dataset],
    calibration: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    config: dict,
):
    """Verify candidates by answer probabilities, calibrated on labelled pairs.

    Args:
        candidates: ``SynonymCandidate`` rows.
        llm: What ``serve_llm`` found.
        config: ``kosparse.config.VerifySynonymsConfig`` as a JSON object.

    Returns:
        verdicts: ``Verdict`` rows with a calibrated probability.
        calibration: JSON: Brier, ECE, AUROC, precision at the threshold.
        metrics: Counts and seconds.
    """
    from kosparse.steps import verify_synonyms as step

    numbers = step.run(
        config=config,
        candidates=candidates.path,
        llm=llm.path,
        verdicts=verdicts.path,
        calibration=calibration.path,
    )
    for key, value in numbers.items():
        metrics.log_metric(key, value)
