"""The enhanced dictionary: curated pairs kept, mined and discovered ones that verification passed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kosparse.config import DiscoverSynonymsConfig, VerifySynonymsConfig
from kosparse.ports import ChatModel, Embedder
from kosparse.records import Direction, Reject, Relation, SynonymCandidate, SynonymEntry, Verdict
from kosparse.synonyms.discover import discover_synonyms_with_llm
from kosparse.synonyms.mine import sources_of
from kosparse.synonyms.relations import NO_SYNONYMS, relation_of
from kosparse.synonyms.terms import is_searchable, pair_key
from kosparse.synonyms.verify import verify_synonyms_with_llm

_UNSEEN = "not_in_documents"
_INITIAL = frozenset({"curated", "pattern"})
_MAX_EXAMPLES = 3
_SHOWN = 20
_DIRECTIONS: Mapping[str, Direction] = {"hypernym": "ko_to_en", "hyponym": "en_to_ko"}
"""Who asks for the narrower term also finds the broader one, not the reverse."""


def enhance_dictionary(
    candidates: Sequence[SynonymCandidate],
    verdicts: Sequence[Verdict],
    discovered: Sequence[Verdict],
    threshold: float,
) -> tuple[list[SynonymEntry], list[Reject]]:
    """Merge all evidence and keep what reaches the threshold.

    Args:
        candidates: What was mined. Curated ones are kept whatever their verdict, with p = 1.
        verdicts: On mined candidates.
        discovered: On proposals of the language model.
        threshold: Least probability of a pair that is not curated.

    Returns:
        Entries, surest first; those whose terms occur in no document have ``not_in_documents`` among their
        sources (for a discovered pair the new term counts). And the pairs left out, as ``below_threshold``,
        ``not_verified``, ``typed_as_related`` and the like, ``curated_as_wrong`` or ``not_searchable``.
    """
    groups: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in [*verdicts, *discovered]:
        groups[pair_key(verdict.candidate.ko, verdict.candidate.en)].append(verdict)
    curated = {pair_key(c.ko, c.en): c for c in candidates if c.source == "curated"}
    entries, rejects = [], []
    for key, candidate in curated.items():
        group = groups.pop(key, [])
        if candidate.features.get("wrong"):
            rejects.append(_reject("curated_as_wrong", candidate))
        else:
            entries.append(_entry(candidate, group, 1.0, relation_of(candidate)))
    for group in groups.values():
        best = max(group, key=lambda verdict: verdict.p)
        if not (is_searchable(best.candidate.ko) and is_searchable(best.candidate.en)):
            rejects.append(_reject("not_searchable", best.candidate))
        elif best.p >= threshold and best.relation in NO_SYNONYMS:
            rejects.append(_reject(f"typed_as_{best.relation}", best.candidate, f"p = {best.p:.3f}"))
        elif best.p >= threshold:
            entries.append(_entry(best.candidate, group, best.p, best.relation))
        else:
            rejects.append(_reject("below_threshold", best.candidate, f"p = {best.p:.3f}"))
    judged = set(groups) | set(curated)
    rejects += [_reject("not_verified", c) for c in candidates if pair_key(c.ko, c.en) not in judged]
    return sorted(entries, key=lambda e: (-e.p, -e.count, e.ko, e.en)), rejects


def summarise(
    candidates: Sequence[SynonymCandidate], entries: Sequence[SynonymEntry], threshold: float
) -> dict[str, Any]:
    """What was gained.

    ``before`` counts the initial dictionary: curated pairs and pairs glossed in the text. ``after``
    counts the entries. Both count only pairs of which a term occurs in the documents; ``unseen`` entries
    are in the dictionary and in neither count.

    Returns:
        Keys ``before``, ``after``, ``growth`` (after / before, None when before is 0), ``unseen``,
        ``threshold``, ``by_source``, ``by_relation``, ``expected_precision`` (mean p of entries that
        are not curated), ``examples`` and ``note``.
    """
    before = sum(_is_seen(c) and bool(_INITIAL & set(sources_of(c))) for c in candidates)
    seen = [entry for entry in entries if _UNSEEN not in entry.sources]
    found = [entry.p for entry in seen if not entry.curated]
    return {
        "before": before,
        "after": len(seen),
        "growth": round(len(seen) / before, 3) if before else None,
        "unseen": len(entries) - len(seen),
        "threshold": threshold,
        "by_source": dict(Counter(source for entry in entries for source in entry.sources).most_common()),
        "by_relation": dict(Counter(entry.relation for entry in entries).most_common()),
        "expected_precision": round(sum(found) / len(found), 4) if found else None,
        "examples": [
            {"ko": e.ko, "en": e.en, "p": round(e.p, 3), "relation": e.relation, "sources": e.sources}
            for e in _spread([entry for entry in seen if not entry.curated], _SHOWN)
        ],
        "note": "" if found else "no candidate passed verification: the dictionary holds curated pairs only",
    }


class EnhancedDictionary(dict[str, list[str]]):
    """``{Korean: [English, ...]}``, surest first, with the evidence beside it."""

    def __init__(self, entries: Sequence[SynonymEntry], summary: Mapping[str, Any]) -> None:
        super().__init__()
        for entry in entries:
            self.setdefault(entry.ko, []).append(entry.en)
        self.entries = list(entries)
        """The same as records, with probabilities, sources and examples."""
        self.summary = dict(summary)
        """``before``, ``after``, ``growth``, ``calibration`` ..."""


def enhance_bilingual_dict_with_llm(
    initial_dict: Mapping[str, str | Iterable[str]],
    llm_model: Any = None,
    llm_tokenizer: Any = None,
    verification_threshold: float = 0.8,
    *,
    model: ChatModel | None = None,
    embedder: Embedder | None = None,
    discover: DiscoverSynonymsConfig | None = None,
    verify: VerifySynonymsConfig | None = None,
) -> EnhancedDictionary:
    """Verify a Korean-English dictionary with a language model and extend it.

    Args:
        initial_dict: ``{Korean: English}`` or ``{Korean: [English, ...]}``, for example from embeddings.
        llm_model: As returned by ``load_llm_model``; used when no ``model`` is given.
        llm_tokenizer: Likewise.
        verification_threshold: Least calibrated probability of a pair in the result, 0 to 1.
        model: A ChatModel, instead of model and tokenizer.
        embedder: Adds cosine and CSLS to the evidence.
        discover: How many terms to ask for; ``max_terms=0`` only verifies.
        verify: Strategy and budget; the default asks about every pair.

    Returns:
        A dict of the verified pairs, with ``.entries`` and ``.summary``.

    Raises:
        ServiceError: The model is dead, gives no probabilities, or says yes to everything.
    """
    if model is None and llm_model is not None:
        from kosparse.llm import transformers_chat

        model = transformers_chat.TransformersChat(llm_model, llm_tokenizer)
    candidates = _from_dict(initial_dict)
    config = (verify or VerifySynonymsConfig(strategy="high", budget_seconds=3600.0)).model_copy(
        update={"verification_threshold": verification_threshold}
    )
    verdicts, calibration = verify_synonyms_with_llm(candidates, model, config=config, embedder=embedder)
    discovered: list[Verdict] = []
    if model is not None and config.strategy != "low":
        discovered, _ = discover_synonyms_with_llm(verdicts, [], model, config=discover, embedder=embedder)
    entries, rejects = enhance_dictionary(candidates, verdicts, discovered, verification_threshold)
    rejected = [{**reject.row, "reason": reject.reason, "detail": reject.detail} for reject in rejects]
    summary = {
        "before": len(candidates),
        "after": len(entries),
        "growth": round(len(entries) / len(candidates), 3) if candidates else None,
        "rejected": rejected,
        "calibration": calibration,
    }
    return EnhancedDictionary(entries, summary)


def _from_dict(pairs: Mapping[str, str | Iterable[str]]) -> list[SynonymCandidate]:
    return [
        SynonymCandidate(ko=ko, en=term, source="initial")
        for ko, english in pairs.items()
        for term in ([english] if isinstance(english, str) else english)
    ]


def _is_seen(candidate: SynonymCandidate) -> bool:
    """Whether a term occurs in the documents; taken for granted where nobody looked."""
    return candidate.features.get("documents", 1.0) > 0


def _entry(chosen: SynonymCandidate, group: Sequence[Verdict], p: float, relation: Relation) -> SynonymEntry:
    """One line of the dictionary with the evidence of all its verdicts."""
    candidates = [chosen, *(verdict.candidate for verdict in group)]
    sources = {source for candidate in candidates for source in sources_of(candidate)}
    examples = list(dict.fromkeys(example for candidate in candidates for example in candidate.examples))
    answers = [verdict.log_odds for verdict in group if verdict.log_odds]
    return SynonymEntry(
        ko=chosen.ko,
        en=chosen.en,
        p=p,
        relation=relation,
        direction=_DIRECTIONS.get(relation, "both"),
        sources=sorted(sources | (set() if any(map(_is_seen, candidates)) else {_UNSEEN})),
        count=max(candidate.count for candidate in candidates),
        examples=examples[:_MAX_EXAMPLES],
        features={name: value for candidate in reversed(candidates) for name, value in candidate.features.items()},
        log_odds=answers[0] if answers else {},
        types=next((verdict.types for verdict in group if verdict.types), {}),
        curated=chosen.source == "curated",
    )


def _spread(entries: Sequence[SynonymEntry], most: int) -> list[SynonymEntry]:
    """Evenly over the list, so that examples show the sure and the less sure."""
    step = max(1, len(entries) // most)
    return list(entries[::step])[:most]


def _reject(reason: str, candidate: SynonymCandidate, detail: str = "") -> Reject:
    row = {"ko": candidate.ko, "en": candidate.en, "source": candidate.source}
    return Reject(stage="enhance_dictionary", reason=reason, detail=detail, row=row)
