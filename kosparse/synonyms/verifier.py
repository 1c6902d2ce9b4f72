"""A judge of pairs: evidence and answer probabilities in, calibrated probabilities out."""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kosparse import progress
from kosparse.config import VerifySynonymsConfig
from kosparse.errors import InputError, ServiceError
from kosparse.ports import ChatModel, Embedder
from kosparse.records import Provenance, SynonymCandidate, Verdict
from kosparse.synonyms import questions
from kosparse.synonyms.calibrate import auroc, quality
from kosparse.synonyms.combiner import Calibration, Combiner, Floats, cross_validated, logit
from kosparse.synonyms.curated import LabelledPair, draw_labelled, read_labelled
from kosparse.synonyms.features import FEATURES, feature_matrix
from kosparse.synonyms.relations import relation_of
from kosparse.synonyms.terms import korean_key
from kosparse.synonyms.typed import Types
from kosparse.synonyms.typist import Typist

_EVIDENCE = ["features", "llm", "choice"]
"""Of the combiner: logit by features, log-odds of a yes in both languages, log-odds against the model's own terms."""
_MIN_ASKED = 24
"""Fewer labelled pairs answered than this cannot calibrate the model's answers."""
_MIN_CONTROLS = 8
_MIN_CONTROL_AUROC = 0.6
_CALIBRATION_SHARE = 0.6
"""Of the time budget, at most, for asking about labelled pairs."""
_CONTROLS = 24
"""Labelled pairs, half of them no synonyms, that are asked about where the combiner was fitted before."""
_TYPING_SHARE = 0.4
"""Of the time budget, at most, for how terms relate."""
_UNSURE = (0.2, 0.9)
"""Probabilities by evidence alone between which ``balanced`` asks the model."""
_AUDIT_SHARE = 0.05
"""Of what ``balanced`` is sure about, and at most of its questions: asked all the same, to see whether it may be."""


class Verifier:
    """A judge of pairs, calibrated when it is made.

    Args:
        model: Whom to ask; None asks nobody.
        config: As for ``verify_synonyms_with_llm``.
        embedder: For cosine and CSLS.
        labelled: Pairs to calibrate by; None takes those that ship, or the config's own file.
        pool: Candidates whose terms are the neighbourhoods for CSLS.
        calibration: A fit to use in place of a new one; only controls are asked then.
    """

    def __init__(
        self,
        model: ChatModel | None,
        config: VerifySynonymsConfig,
        embedder: Embedder | None,
        labelled: Sequence[LabelledPair] | None,
        pool: Sequence[SynonymCandidate],
        calibration: Calibration | None = None,
    ) -> None:
        self._config, self._embedder = config, embedder
        self._model = None if config.strategy == "low" else model
        self._labelled = _checked(labelled if labelled is not None else read_labelled(config.labelled or None))
        self._pool = [*pool, *(pair.candidate for pair in self._labelled)]
        self._labels = [pair.label for pair in self._labelled]
        self._controls: dict[str, float | None] = {}
        self._audit: dict[str, float] = {}
        self._note = "" if self._model else "the language model was not asked"
        if calibration is not None:
            calibration.require(self._made_by(), FEATURES)
        self._typist = self._open_typist() if config.relations == "asked" else None
        self._fitted = calibration or self._fit()
        if calibration is not None and self._model is not None:
            self._ask_controls(self._model)
        with_llm = self._fitted.with_llm if self._model is not None else None
        self._base = Combiner(self._fitted.without_llm)
        self._combiner = Combiner(with_llm) if with_llm else None

    def judge(self, candidates: Sequence[SynonymCandidate], *, budget_seconds: float) -> list[Verdict]:
        """One verdict per candidate; asks about the most useful ones while the budget lasts."""
        started = time.monotonic()
        base = self._base.predict(feature_matrix(candidates, self._embedder, self._pool))
        p, odds, types = base.copy(), dict[int, dict[str, float]](), dict[int, Types]()
        if self._model is not None and self._combiner is not None:
            audited, doubtful = self._choose(candidates, base)
            chosen = [*audited, *doubtful]
            types = self._typed({i: candidates[i] for i in chosen}, budget_seconds * _TYPING_SHARE)
            left = max(budget_seconds - (time.monotonic() - started), 1.0)
            answers = questions.ask_pairs(
                self._model, [candidates[i] for i in chosen], what="synonyms", budget_seconds=left
            )
            odds = {i: answer for i, answer in zip(chosen, answers, strict=True) if answer is not None}
            if odds:
                p[list(odds)] = self._combiner.predict(_stack(base[list(odds)], list(odds.values())))
            self._audit = self._agreement(base, p, [i for i in audited if i in odds])
        made_by = self._made_by()
        verdicts = [
            _verdict(candidate, float(p[i]), odds.get(i), made_by if i in odds else None)
            for i, candidate in enumerate(candidates)
        ]
        if self._typist is None:
            return verdicts
        left = max(budget_seconds - (time.monotonic() - started), 1.0)
        threshold = self._config.verification_threshold
        return self._typist.relate(verdicts, types, threshold=threshold, budget_seconds=left)

    def report(self) -> dict[str, Any]:
        """How far the probabilities can be trusted: cross-validated, a Korean term never in both halves.

        Keys: ``combiner`` (``features+llm`` or ``features``), ``note``, ``strategy``, ``model``,
        ``quantization``, ``prompt``, ``labelled``, ``asked_labelled``, ``threshold``, ``without_llm`` and
        ``with_llm`` (see ``calibrate.quality``), ``same_pairs_without_llm`` (for a fair comparison),
        ``controls`` (``typed_right``: the share of labelled pairs that the model types as what they are), ``audit``
        (``asked`` of what the evidence was sure about, ``agreed`` the share of them the model's answer left on the
        same side of the threshold), ``coefficients``, and ``fitted``: what a later run takes as its calibration.
        """
        fitted = self._fitted
        made_by = self._made_by()
        return {
            "combiner": "features+llm" if self._combiner else "features",
            "note": self._note,
            "strategy": self._config.strategy,
            "model": made_by.model if made_by else "",
            "quantization": made_by.quantization if made_by else "",
            "prompt": made_by.prompt if made_by else "",
            "labelled": len(self._labels),
            "asked_labelled": fitted.labelled,
            "threshold": self._config.verification_threshold,
            "without_llm": None,
            "with_llm": None,
            "same_pairs_without_llm": None,
            **fitted.quality,
            "controls": self._controls | ({"typed_right": self._typist.right} if self._typist else {}),
            "audit": self._audit,
            "coefficients": {
                "features": self._base.coefficients(FEATURES),
                **({"with_llm": self._combiner.coefficients(_EVIDENCE)} if self._combiner else {}),
            },
            "fitted": fitted.model_dump(mode="json"),
        }

    def _made_by(self) -> Provenance | None:
        return questions.provenance(self._model) if self._model is not None else None

    def _open_typist(self) -> Typist | None:
        if self._model is None:
            return None
        known = [self._labelled[i] for i in draw_labelled(self._labelled, self._config.typed_first, self._config.seed)]
        return Typist(self._model, known, budget_seconds=self._config.budget_seconds * _TYPING_SHARE)

    def _typed(self, chosen: Mapping[int, SynonymCandidate], budget_seconds: float) -> dict[int, Types]:
        """How the terms of some candidates relate, by position, as far as the budget reaches."""
        if self._typist is None:
            return {}
        told = self._typist.types(list(chosen.values()), budget_seconds=budget_seconds)
        return {i: types for i, types in zip(chosen, told, strict=True) if types is not None}

    def _fit(self) -> Calibration:
        """Fit on the labelled pairs: on their evidence, and on the model's answers about a sample of them."""
        labels, seed = self._labels, self._config.seed
        evidence = feature_matrix([pair.candidate for pair in self._labelled], self._embedder, self._pool)
        base = Combiner().fit(evidence, labels)
        held_out = cross_validated(evidence, labels, self._groups(), seed)
        found: dict[str, Any] = {"without_llm": self._quality(held_out, range(len(labels)))}
        odds = self._ask_labelled(self._model) if self._model is not None else {}
        asked = list(odds)
        combiner = None
        if asked:
            together = _stack(held_out[asked], list(odds.values()))
            truth = [labels[i] for i in asked]
            combiner = Combiner().fit(together, truth).weights
            p = cross_validated(together, truth, [self._groups()[i] for i in asked], seed)
            found["with_llm"] = self._quality(p, asked)
            found["same_pairs_without_llm"] = self._quality(held_out[asked], asked)
        made_by = self._made_by()
        return Calibration(
            **(made_by.model_dump(include={"model", "quantization", "prompt"}) if made_by else {}),
            features=list(FEATURES),
            labelled=len(asked),
            without_llm=base.weights,
            with_llm=combiner,
            quality=found,
        )

    def _quality(self, p: Floats, rows: Sequence[int]) -> dict[str, Any]:
        labels, kinds = [self._labels[i] for i in rows], [self._labelled[i].kind for i in rows]
        return quality(p, labels, kinds, self._config.verification_threshold)

    def _ask_labelled(self, model: ChatModel) -> dict[int, dict[str, float]]:
        """The model's answers about a sample of the labelled pairs; empty when too few came in time."""
        odds = self._answers(model, draw_labelled(self._labelled, self._config.labelled_pairs, self._config.seed))
        true = sum(self._labels[i] for i in odds)
        if len(odds) >= _MIN_ASKED and min(true, len(odds) - true) >= 2:
            self._check_controls(odds)
            return odds
        self._note = f"only {len(odds)} labelled pairs were answered within the budget: features alone are used"
        progress.note(f"synonyms: {self._note}")
        return {}

    def _ask_controls(self, model: ChatModel) -> None:
        """Known-true and known-false pairs, to notice a model that answers alike to all."""
        kinds = {kind: [i for i, pair in enumerate(self._labelled) if pair.kind == kind] for kind in ("true", "random")}
        rng = random.Random(self._config.seed)
        chosen = [i for rows in kinds.values() for i in rng.sample(rows, min(_CONTROLS // 2, len(rows)))]
        self._check_controls(self._answers(model, chosen))

    def _answers(self, model: ChatModel, rows: Sequence[int]) -> dict[int, dict[str, float]]:
        answers = questions.ask_pairs(
            model,
            [self._labelled[i].candidate for i in rows],
            what="labelled pairs",
            budget_seconds=self._config.budget_seconds * _CALIBRATION_SHARE,
        )
        return {i: answer for i, answer in zip(rows, answers, strict=True) if answer is not None}

    def _check_controls(self, odds: dict[int, dict[str, float]]) -> None:
        """Stop when the model cannot tell known-true from known-false pairs, however it answers."""
        total = {i: questions.said_yes(answer) for i, answer in odds.items()}
        true = np.array([total[i] for i in total if self._labels[i]])
        false = np.array([total[i] for i in total if self._labelled[i].kind == "random"])
        area, yes = auroc(true, false), float((false > 0).mean()) if len(false) else None
        self._controls = {"llm_auroc_random": area, "yes_to_known_false": yes, "known_false": float(len(false))}
        if area is None or min(len(true), len(false)) < _MIN_CONTROLS or area >= _MIN_CONTROL_AUROC:
            return
        made_by = self._made_by()
        raise ServiceError(
            f"the language model does not tell synonyms from unrelated words: it says yes to {yes:.0%} of "
            f"{len(false)} known-false pairs (AUROC {area:.2f}, chance is 0.5)",
            where=f"verify_synonyms, model {made_by.model if made_by else ''}",
            fix='Use a more capable model, or set the strategy "low", which asks no model.',
        )

    def _choose(self, candidates: Sequence[SynonymCandidate], base: Floats) -> tuple[list[int], list[int]]:
        """Whom to ask about: an audit of what the evidence is sure about, and the doubtful, most wanted first."""
        open_to_doubt = [i for i, candidate in enumerate(candidates) if candidate.source != "curated"]
        doubt = np.abs(logit(base) - logit(np.array([self._config.verification_threshold])))
        order = sorted(open_to_doubt, key=lambda i: (doubt[i], i))
        if self._config.strategy == "high":
            return [], order
        most, (low, high) = self._config.max_candidates, _UNSURE
        sure = [i for i in order if not low <= base[i] <= high]
        share = math.ceil(_AUDIT_SHARE * min(len(sure), most))
        audited = sorted(sure, key=lambda i: _lot(candidates[i]))[:share]
        unsure = [i for i in order if low <= base[i] <= high]
        return audited, unsure[: most - len(audited)]

    def _agreement(self, base: Floats, p: Floats, audited: Sequence[int]) -> dict[str, float]:
        threshold = self._config.verification_threshold
        same = [(base[i] >= threshold) == (p[i] >= threshold) for i in audited]
        return {"asked": float(len(same)), "agreed": sum(same) / len(same)} if same else {"asked": 0.0}

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


def _lot(candidate: SynonymCandidate) -> str:
    """A draw that does not depend on what else was mined."""
    return hashlib.sha256(f"{candidate.ko}\t{candidate.en}".encode()).hexdigest()


def _stack(base: Floats, odds: Sequence[dict[str, float]]) -> Floats:
    """``_EVIDENCE`` of each pair: [n, 3]."""
    yes, choice = ([part(answer) for answer in odds] for part in (questions.said_yes, questions.preferred))
    return np.column_stack([logit(base), yes, choice])


def _verdict(candidate: SynonymCandidate, p: float, odds: dict[str, float] | None, made_by: Any) -> Verdict:
    if candidate.source == "curated":
        relation = relation_of(candidate)
        return Verdict(candidate=candidate, relation=relation, p=0.0 if relation == "wrong" else 1.0)
    relation = relation_of(candidate) if p >= 0.5 else "unknown"
    return Verdict(
        candidate=candidate,
        relation=relation,
        p=p,
        log_odds={name: round(value, 3) for name, value in (odds or {}).items()},
        asked_llm=odds is not None,
        provenance=made_by,
    )
