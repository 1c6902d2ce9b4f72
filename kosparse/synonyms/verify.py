"""Which candidates are synonyms, and how sure are we?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from kosparse.config import VerifySynonymsConfig
from kosparse.ports import ChatModel, Embedder
from kosparse.records import SynonymCandidate, Verdict
from kosparse.synonyms.combiner import Calibration
from kosparse.synonyms.curated import LabelledPair
from kosparse.synonyms.verifier import Verifier


def verify_synonyms_with_llm(
    candidates: Sequence[SynonymCandidate],
    model: ChatModel | None,
    *,
    config: VerifySynonymsConfig | None = None,
    embedder: Embedder | None = None,
    labelled: Sequence[LabelledPair] | None = None,
    calibration: Calibration | None = None,
) -> tuple[list[Verdict], dict[str, Any]]:
    """Give every candidate a calibrated probability that its two terms may stand for each other.

    A logistic regression over mining evidence judges all; the language model is asked about the pairs
    that leaves unsure and a few of the others (``balanced``), about all (``high``) or about none (``low``),
    within ``budget_seconds``: first how their terms relate, beside sentences that use them, which decides that if it
    can tell it of labelled pairs; then whether they are the same, which is evidence of p. Curated candidates are
    taken on trust (p = 1, or 0 where marked as wrong).

    Args:
        candidates: From mining; may be empty.
        model: Whom to ask; None is the strategy ``low``.
        config: Strategy, threshold, limits.
        embedder: For cosine and CSLS; None leaves them out.
        labelled: Pairs to calibrate by; None takes the set that ships.
        calibration: Of an earlier run with the same model and prompts: nothing is fitted anew then.

    Returns:
        One verdict per candidate, in order, and the calibration report (see ``Verifier.report``).

    Raises:
        ConfigError: The calibration is for another model, precision, prompt or evidence.
        ServiceError: The model is dead, gives no probabilities, or cannot tell known-true from
            known-false pairs.
    """
    config = config or VerifySynonymsConfig()
    if all(candidate.source == "curated" for candidate in candidates):
        model = None  # nothing to ask about: spare the labelled pairs, too
    started = time.monotonic()
    verifier = Verifier(model, config, embedder, labelled, pool=candidates, calibration=calibration)
    left = max(config.budget_seconds - (time.monotonic() - started), 1.0)
    verdicts = verifier.judge(candidates, budget_seconds=left)
    counts = {
        "candidates": len(candidates),
        "asked": sum(verdict.asked_llm for verdict in verdicts),
        "typed": sum(bool(verdict.types) for verdict in verdicts),
    }
    return verdicts, {**verifier.report(), **counts}
