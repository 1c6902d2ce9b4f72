"""Which candidates are synonyms, and how sure are we: evidence, answer probabilities, calibration."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from kosparse import progress
from kosparse.config import VerifySynonymsConfig
from kosparse.errors import InputError, ServiceError
from kosparse.ports import ChatModel, Embedder
from kosparse.records import Relation, SynonymCandidate, Verdict
from kosparse.synonyms import questions
from kosparse.synonyms.calibrate import Combiner, Floats, auroc, cross_validated, logit, quality
from kosparse.synonyms.curated import LabelledPair, read_labelled
from kosparse.synonyms.features import FEATURES, feature_matrix
from kosparse.synonyms.terms import is_acronym, korean_key
from kosparse.synonyms.transliteration import transliteration_score

_MIN_ASKED = 24
"""Fewer labelled pairs answered than this cannot calibrate the model's answers."""
_MIN_CONTROLS = 8
_MIN_CONTROL_AUROC = 0.6
_CALIBRATION_SHARE = 0.6
"""Of the time budget, at most, for asking about labelled pairs."""
_TRANSLITERATION = 0.75


def verify_synonyms_with_llm(
    candidates: Sequence[SynonymCandidate],
    model: ChatModel | None,
    *,
    config: VerifySynonymsConfig | None = None,
    embedder: Embedder | None = None,
    labelled: Sequence[LabelledPair] | None = None,
) -> tuple[list[Verdict], dict[str, Any]]:
    """Give every candidate a calibrated probability that its two terms may stand for each other.

    A logistic regression over mining evidence judges all; the language model is asked about the pairs
    where its answer can change most (``balanced``), about all (``high``) or about none (``low``), within
    ``budget_seconds``. Curated candidates are taken on trust (p = 1).

    Args:
        candidates: From mining; may be empty.
        model: Whom to ask; None is the strategy ``low``.
        config: Strategy, threshold, limits.
        embedder: For cosine and CSLS; None leaves them out.
        labelled: Pairs to calibrate by; None takes the set that ships.

    Returns:
        One verdict per candidate, in order, and the calibration report (see ``Verifier.report``).

    Raises:
        ServiceError: The model is dead, gives no probabilities, or cannot tell known-true from
            known-false pairs.
    """
    config = config or VerifySynonymsConfig()
    if all(candidate.source == "curated" for candidate in candidates):
        model = None  # nothing to ask about: spare the labelled pairs, too
    started = time.monotonic()
    verifier = Verifier(model, config, embedder, labelled, pool=candidates)
    left = max(config.budget_seconds - (time.monotonic() - started), 1.0)
    verdicts = verifier.judge(candidates, budget_seconds=left)
    asked = sum(verdict.asked_llm for verdict in verdicts)
    return verdicts, {**verifier.report(), "candidates": len(candidates), "asked": asked}


class Verifier:
    """A judge of pairs, calibrated when it is made.

    Args:
        model: Whom to ask; None asks nobody.
        config: As for ``verify_synonyms_with_llm``.
        embedder: For cosine and CSLS.
        labelled: Pairs to calibrate by; None takes those that ship, or the config's own file.
        pool: Candidates whose terms are the neighbourhoods for CSLS.
    """

    def __init__(
        self,
        model: ChatModel | None,
        config: VerifySynonymsConfig,
        embedder: Embedder | None,
        labelled: Sequence[LabelledPair] | None,
        pool: Sequence[SynonymCandidate],
    ) -> None:
        self._config, self._embedder = config, embedder
        self._model = None if config.strategy == "low" else model
        self._labelled = _checked(labelled if labelled is not None else read_labelled(config.labelled or None))
        self._pool = [*pool, *(pair.candidate for pair in self._labelled)]
        self._labels = [pair.label for pair in self._labelled]
        evidence = feature_matrix([pair.candidate for pair in self._labelled], embedder, self._pool)
        self._base = Combiner().fit(evidence, self._labels)
        self._base_held_out = cross_validated(evidence, self._labels, self._groups(), config.seed)
        self._combiner: Combiner | None = None
        self._asked: list[int] = []
        self._with_llm: dict[str, Any] | None = None
        self._controls: dict[str, float | None] = {}
        self._note = "the language model was not asked"
        if self._model is not None:
            self._calibrate(self._model)

    def judge(self, candidates: Sequence[SynonymCandidate], *, budget_seconds: float) -> list[Verdict]:
        """One verdict per candidate; asks about the most useful ones while the budget lasts."""
        base = self._base.predict(feature_matrix(candidates, self._embedder, self._pool))
        p, odds = base.copy(), dict[int, dict[str, float]]()
        if self._model is not None and self._combiner is not None:
            chosen = self._choose(candidates, base)
            answers = questions.ask_pairs(
                self._model, [candidates[i] for i in chosen], what="synonyms", budget_seconds=budget_seconds
            )
            odds = {i: answer for i, answer in zip(chosen, answers, strict=True) if answer is not None}
            if odds:
                p[list(odds)] = self._combiner.predict(_stack(base[list(odds)], list(odds.values())))
        made_by = questions.provenance(self._model) if self._model is not None else None
        return [
            _verdict(candidate, float(p[i]), odds.get(i), made_by if i in odds else None)
            for i, candidate in enumerate(candidates)
        ]

    def report(self) -> dict[str, Any]:
        """How far the probabilities can be trusted: cross-validated, a Korean term never in both halves.

        Keys: ``combiner`` (``features+llm`` or ``features``), ``note``, ``strategy``, ``model``,
        ``quantization``, ``prompt``, ``labelled``, ``asked_labelled``, ``threshold``, ``without_llm`` and
        ``with_llm`` (see ``calibrate.quality``), ``same_pairs_without_llm`` (for a fair comparison),
        ``controls`` and ``coefficients``.
        """
        labels, kinds = self._labels, [pair.kind for pair in self._labelled]
        threshold = self._config.verification_threshold
        made_by = questions.provenance(self._model) if self._model is not None else None
        asked = self._asked
        return {
            "combiner": "features+llm" if self._combiner else "features",
            "note": self._note,
            "strategy": self._config.strategy,
            "model": made_by.model if made_by else "",
            "quantization": made_by.quantization if made_by else "",
            "prompt": made_by.prompt if made_by else "",
            "labelled": len(labels),
            "asked_labelled": len(asked),
            "threshold": threshold,
            "without_llm": quality(self._base_held_out, labels, kinds, threshold),
            "with_llm": self._with_llm,
            "same_pairs_without_llm": quality(
                self._base_held_out[asked], [labels[i] for i in asked], [kinds[i] for i in asked], threshold
            )
            if asked
            else None,
            "controls": self._controls,
            "coefficients": {
                "features": self._base.coefficients(FEATURES),
                **({"with_llm": self._combiner.coefficients(["features", "llm"])} if self._combiner else {}),
            },
        }

    def _calibrate(self, model: ChatModel) -> None:
        """Ask about a sample of the labelled pairs and fit the combiner on the answers."""
        sample = _sample(self._labelled, self._config.labelled_pairs, self._config.seed)
        answers = questions.ask_pairs(
            model,
            [self._labelled[i].candidate for i in sample],
            what="labelled pairs",
            budget_seconds=self._config.budget_seconds * _CALIBRATION_SHARE,
        )
        odds = {i: answer for i, answer in zip(sample, answers, strict=True) if answer is not None}
        asked = list(odds)
        labels = [self._labels[i] for i in asked]
        if len(asked) < _MIN_ASKED or min(sum(labels), len(labels) - sum(labels)) < 2:
            self._note = f"only {len(asked)} labelled pairs were answered within the budget: features alone are used"
            progress.note(f"synonyms: {self._note}")
            return
        self._asked, total = asked, np.array([sum(odds[i].values()) for i in asked])
        self._check_controls(total)
        evidence = _stack(self._base_held_out[asked], list(odds.values()))
        held_out = cross_validated(evidence, labels, [self._groups()[i] for i in asked], self._config.seed)
        kinds = [self._labelled[i].kind for i in asked]
        self._with_llm = quality(held_out, labels, kinds, self._config.verification_threshold)
        self._combiner, self._note = Combiner().fit(evidence, labels), ""

    def _check_controls(self, total: Floats) -> None:
        """Stop when the model cannot tell known-true from known-false pairs, however it answers."""
        kinds = np.array([self._labelled[i].kind for i in self._asked])
        true, false = total[[self._labels[i] for i in self._asked]], total[kinds == "random"]
        area, yes = auroc(true, false), float((false > 0).mean()) if len(false) else None
        self._controls = {"llm_auroc_random": area, "yes_to_known_false": yes, "known_false": float(len(false))}
        if area is None or min(len(true), len(false)) < _MIN_CONTROLS or area >= _MIN_CONTROL_AUROC:
            return
        raise ServiceError(
            f"the language model does not tell synonyms from unrelated words: it says yes to {yes:.0%} of "
            f"{len(false)} known-false pairs (AUROC {area:.2f}, chance is 0.5)",
            where=f"verify_synonyms, model {questions.provenance(self._model).model}" if self._model else "",
            fix='Use a more capable model, or set the strategy "low", which asks no model.',
        )

    def _choose(self, candidates: Sequence[SynonymCandidate], base: Floats) -> list[int]:
        """Whom to ask about, most wanted first: those nearest to the threshold."""
        open_to_doubt = [i for i, candidate in enumerate(candidates) if candidate.source != "curated"]
        doubt = np.abs(logit(base) - logit(np.array([self._config.verification_threshold])))
        order = sorted(open_to_doubt, key=lambda i: (doubt[i], i))
        return order if self._config.strategy == "high" else order[: self._config.max_candidates]

    def _groups(self) -> list[str]:
        return [korean_key(pair.ko) for pair in self._labelled]


def _checked(labelled: Sequence[LabelledPair]) -> Sequence[LabelledPair]:
    true = sum(pair.label for pair in labelled)
    if min(true, len(labelled) - true) < 10:
        raise InputError(
            f"{true} true and {len(labelled) - true} false labelled pairs cannot calibrate anything",
            where="labelled pairs of verify_synonyms",
            fix="Give at least ten of each, or leave the setting empty to use the set that ships.",
        )
    return labelled


def _sample(labelled: Sequence[LabelledPair], most: int, seed: int) -> list[int]:
    """Positions: half true, a quarter hard false, a quarter random false, alternating."""
    order = list(range(len(labelled)))
    random.Random(seed).shuffle(order)
    true = [i for i in order if labelled[i].label]
    hard = [i for i in order if not labelled[i].label and labelled[i].kind != "random"]
    easy = [i for i in order if not labelled[i].label and labelled[i].kind == "random"]
    chosen: list[int] = []
    while len(chosen) < most and (true or hard or easy):
        for queue in (true, hard, true, easy):
            chosen += [queue.pop()] if queue else []
    return chosen[:most]


def _stack(base: Floats, odds: Sequence[dict[str, float]]) -> Floats:
    """Evidence of the combiner: logit by features, and log-odds summed over both languages: [n, 2]."""
    return np.column_stack([logit(base), [sum(answer.values()) for answer in odds]])


def _verdict(candidate: SynonymCandidate, p: float, odds: dict[str, float] | None, made_by: Any) -> Verdict:
    if candidate.source == "curated":
        return Verdict(candidate=candidate, relation=relation_of(candidate), p=1.0)
    relation = relation_of(candidate) if p >= 0.5 else "unknown"
    return Verdict(
        candidate=candidate,
        relation=relation,
        p=p,
        log_odds={name: round(value, 3) for name, value in (odds or {}).items()},
        asked_llm=odds is not None,
        provenance=made_by,
    )


def relation_of(candidate: SynonymCandidate) -> Relation:
    """How two synonymous terms relate, by their form."""
    if is_acronym(candidate.en):
        return "abbreviation"
    if transliteration_score(candidate.ko, candidate.en) >= _TRANSLITERATION:
        return "transliteration"
    return "equivalent"
