"""Give every candidate a calibrated probability, asking the language model where it helps most."""

from __future__ import annotations

from kosparse.config import VerifySynonymsConfig
from kosparse.jsonl import read_records, write_json, write_records
from kosparse.records import SynonymCandidate
from kosparse.steps.inputs import brought
from kosparse.steps.runtime import InPath, Metrics, OutPath, step
from kosparse.synonyms.combiner import read_calibration
from kosparse.synonyms.verify import verify_synonyms_with_llm


@step
def run(
    config: VerifySynonymsConfig, *, candidates: InPath, llm: InPath, verdicts: OutPath, calibration: OutPath
) -> Metrics:
    """Write verdicts and the calibration report; return how many were asked and accepted.

    ``llm`` says that the server answered; where it is comes from the settings.
    """
    from kosparse.adapters.embedder import open_embedder
    from kosparse.llm.loader import open_chat_model

    model = None if config.strategy == "low" else open_chat_model(config.concurrency)
    mined = list(read_records(candidates, SynonymCandidate))
    with brought(config.calibration) as path:
        fitted = read_calibration(path) if path else None
    judged, report = verify_synonyms_with_llm(mined, model, config=config, embedder=open_embedder(), calibration=fitted)
    write_records(verdicts, judged)
    write_json(calibration, report)
    quality = report["with_llm"] or report["without_llm"]
    numbers = {name: quality[name] for name in ("brier", "ece", "auroc", "precision", "recall")}
    return {
        "candidates": float(len(judged)),
        "asked": float(report["asked"]),
        "typed": float(report["typed"]),
        "asked_labelled": float(report["asked_labelled"]),
        "accepted": float(sum(verdict.p >= config.verification_threshold for verdict in judged)),
        **{name: float(value) for name, value in numbers.items() if value is not None},
    }
