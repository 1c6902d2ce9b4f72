"""Further names for what is already known, proposed by a language model and verified like any other."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from kosparse import prompts
from kosparse.config import DiscoverSynonymsConfig, VerifySynonymsConfig
from kosparse.llm.ask import ask
from kosparse.llm.structured import parse_json
from kosparse.ports import ChatModel, ChatRequest, Embedder
from kosparse.records import Completion, Document, Reject, SynonymCandidate, Verdict
from kosparse.synonyms.combiner import Calibration
from kosparse.synonyms.curated import LabelledPair
from kosparse.synonyms.grounding import Texts
from kosparse.synonyms.terms import korean_key, pair_key, problem, tidy, tidy_english
from kosparse.synonyms.verifier import Verifier

PROMPT = "discover_synonyms"
_PROPOSING_SHARE = 0.6
"""Of the budget; the rest verifies what was proposed."""


def discover_synonyms_with_llm(
    verdicts: Sequence[Verdict],
    documents: Sequence[Document],
    model: ChatModel,
    *,
    config: DiscoverSynonymsConfig | None = None,
    embedder: Embedder | None = None,
    labelled: Sequence[LabelledPair] | None = None,
    calibration: Calibration | None = None,
) -> tuple[list[Verdict], list[Reject]]:
    """Ask for more Korean and English names of the surest known pairs, and verify each proposal.

    Args:
        verdicts: What verification made of the mined candidates; also the neighbourhoods for CSLS.
        documents: A proposal whose new term occurs in none of them has the feature ``documents`` 0 and is
            marked in the dictionary. Empty: not looked up.
        model: Whom to ask.
        config: How many terms, how many proposals each, the budget.
        embedder: For cosine and CSLS.
        labelled: Pairs to calibrate by; None takes the set that ships, or the config's own file.
        calibration: As for ``verify_synonyms_with_llm``.

    Returns:
        One verdict per new pair, and the proposals that are no terms or nothing new, with reasons.

    Raises:
        ServiceError: As for ``verify_synonyms_with_llm``.
    """
    config = config or DiscoverSynonymsConfig()
    known = _known(verdicts, config)
    if not known:
        return [], []
    deadline = time.monotonic() + config.budget_seconds
    proposals, rejects = _propose(known, model, config)
    existing = {pair_key(v.candidate.ko, v.candidate.en) for v in verdicts}
    candidates, left_out = _candidates(proposals, existing, [document.searched for document in documents])
    if not candidates:
        return [], rejects + left_out
    verifying = VerifySynonymsConfig(
        strategy="high",
        seed=config.seed,
        verification_threshold=config.verification_threshold,
        labelled=config.labelled,
        labelled_pairs=config.labelled_pairs,
        relations=config.relations,
        budget_seconds=max(deadline - time.monotonic(), 1.0),
    )
    known_pairs = [v.candidate for v in verdicts]
    verifier = Verifier(model, verifying, embedder, labelled, pool=known_pairs, calibration=calibration)
    judged = verifier.judge(candidates, budget_seconds=max(deadline - time.monotonic(), 1.0))
    return judged, rejects + left_out


def parse_proposals(text: str, most: int) -> tuple[list[str], list[str]]:
    """The Korean and English terms of an answer, tidy, at most ``most`` each.

    Raises:
        ValueError: The answer is no such JSON object.
    """
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, got {type(value).__name__}")
    korean = [tidy(term) for term in _strings(value.get("korean"))]
    english = [tidy_english(term) for term in _strings(value.get("english"))]
    return korean[:most], english[:most]


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str) and item.strip()] if isinstance(value, list) else []


def _known(verdicts: Sequence[Verdict], config: DiscoverSynonymsConfig) -> list[SynonymCandidate]:
    """The pairs most worth asking about: sure and frequent, one per Korean term."""
    sure = [v for v in verdicts if v.p >= config.min_p and v.candidate.features.get("documents", 1)]
    chosen: dict[str, SynonymCandidate] = {}
    for verdict in sorted(sure, key=lambda v: (-v.candidate.features.get("documents", 1), -v.p, v.candidate.ko)):
        chosen.setdefault(korean_key(verdict.candidate.ko), verdict.candidate)
    return list(chosen.values())[: config.max_terms]


def _propose(
    known: Sequence[SynonymCandidate], model: ChatModel, config: DiscoverSynonymsConfig
) -> tuple[list[tuple[SynonymCandidate, str, str]], list[Reject]]:
    """``(known pair, Korean, English)`` for every proposal: one side is new, the other is known."""
    prompt = prompts.load(PROMPT)
    requests = [
        ChatRequest(
            messages=prompt.messages(ko=pair.ko, en=pair.en, most=config.per_term),
            json_schema=prompt.answer,
            max_tokens=config.max_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            seed=config.seed,
        )
        for pair in known
    ]
    budget = config.budget_seconds * _PROPOSING_SHARE
    answers = ask(model, requests, what="terms", budget_seconds=budget, at_least=config.at_least)
    proposals, rejects = [], []
    for pair, answer in zip(known, answers, strict=True):
        if isinstance(answer, Reject):
            rejects.append(answer)
        if not isinstance(answer, Completion):
            continue
        try:
            korean, english = parse_proposals(answer.text, config.per_term)
        except ValueError as error:
            rejects.append(_reject("unreadable_answer", pair.ko, pair.en, str(error)))
            continue
        proposals += [(pair, ko, pair.en) for ko in korean] + [(pair, pair.ko, en) for en in english]
    return proposals, rejects


def _candidates(
    proposals: Iterable[tuple[SynonymCandidate, str, str]], existing: set[tuple[str, str]], texts: Sequence[str]
) -> tuple[list[SynonymCandidate], list[Reject]]:
    lookup, seen = Texts.of(texts), set(existing)
    taken, rejects = [], []
    for known, ko, en in proposals:
        if reason := problem(ko, en):
            rejects.append(_reject(reason, ko, en))
        elif pair_key(ko, en) in seen:
            rejects.append(_reject("known", ko, en))
        else:
            seen.add(pair_key(ko, en))
            taken.append((known, ko, en))
    new = [[ko if korean_key(ko) != korean_key(known.ko) else en] for known, ko, en in taken]
    counts = lookup.counts(new) if lookup.plain else [None] * len(taken)
    return [_candidate(*each, count) for each, count in zip(taken, counts, strict=True)], rejects


def _candidate(known: SynonymCandidate, ko: str, en: str, documents: int | None) -> SynonymCandidate:
    features = {} if documents is None else {"documents": float(documents)}
    examples = [f"{known.ko} | {known.en}"]
    return SynonymCandidate(ko=ko, en=en, source="discovered", examples=examples, features=features)


def _reject(reason: str, ko: str, en: str, detail: str = "") -> Reject:
    return Reject(stage="discover_synonyms", reason=reason, detail=detail, row={"ko": ko, "en": en})
