"""All sources of candidates, merged: one candidate per pair, with the evidence of each source."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from kosparse import progress
from kosparse.config import MineSynonymsConfig
from kosparse.ports import Embedder
from kosparse.records import AlignedText, Document, Reject, SynonymCandidate
from kosparse.synonyms import aligned, neighbours, patterns
from kosparse.synonyms.curated import CuratedPair, read_curated
from kosparse.synonyms.grounding import ground
from kosparse.synonyms.terms import pair_key
from kosparse.synonyms.transliteration import mine_transliterations

_STRENGTH = ("curated", "aligned", "pattern", "transliteration", "embedding")
"""Whose source a merged candidate is named by, strongest first."""
_MAX_EXAMPLES = 3


def mine_synonyms(
    documents: Sequence[Document],
    parallel: Sequence[AlignedText],
    config: MineSynonymsConfig,
    embedder: Embedder | None = None,
    curated: Sequence[CuratedPair] | None = None,
) -> tuple[list[SynonymCandidate], list[Reject]]:
    """Propose Korean-English pairs from curated lists, glosses, parallel text, sound and embeddings.

    Args:
        documents: The collection.
        parallel: Aligned text; may be empty.
        config: Which sources, and how many.
        embedder: Needed by the source ``embedding``, which is skipped without one.
        curated: What people decided, kept whatever the rest says; None takes the starter list.

    Returns:
        One candidate per pair, curated ones first, then by evidence; at most ``max_candidates``
        besides the curated. The feature ``documents`` says in how many documents, of 2,000 at most, either term
        occurs. And what was left out, with reasons.
    """
    texts = [document.searched for document in documents]
    rows = aligned.usable(parallel)
    curated = read_curated() if curated is None else curated
    found, rejects = [pair.candidate for pair in curated], list[Reject]()
    if "pattern" in config.sources:
        candidates, left_out = patterns.mine_patterns(texts, config.min_count)
        found, rejects = found + candidates, rejects + left_out
    if "aligned" in config.sources:
        candidates, left_out = aligned.mine_short_rows(rows)
        found, rejects = found + candidates + aligned.mine_associations(rows), rejects + left_out
    by_ear, by_meaning = "transliteration" in config.sources, "embedding" in config.sources and embedder is not None
    if config.frequent_terms and (by_ear or by_meaning):
        korean, english = _frequent_terms(texts, rows, config.frequent_terms)
        found += mine_transliterations(korean, english) if by_ear else []
        found += neighbours.mine_neighbours(korean, english, embedder) if by_meaning and embedder else []
    candidates = merge(found)
    kept, over = _cap(candidates, config.max_candidates)
    rejects += [
        Reject(stage="mine_synonyms", reason="over_limit", row={"ko": c.ko, "en": c.en, "source": c.source})
        for c in over
    ]
    return ground(kept, texts), rejects


def merge(candidates: Iterable[SynonymCandidate]) -> list[SynonymCandidate]:
    """One candidate per pair: largest count, features united (largest value), strongest source's spelling."""
    groups: dict[tuple[str, str], list[SynonymCandidate]] = defaultdict(list)
    for candidate in candidates:
        groups[pair_key(candidate.ko, candidate.en)].append(candidate)
    merged = [_united(group) for group in groups.values()]
    return sorted(merged, key=lambda c: (_STRENGTH.index(c.source), -c.count, c.ko, c.en))


def sources_of(candidate: SynonymCandidate) -> list[str]:
    """Every source that proposed it, as marked in its features."""
    marked = [name.removeprefix("from_") for name in candidate.features if name.startswith("from_")]
    return sorted(marked) or [candidate.source]


def _united(group: Sequence[SynonymCandidate]) -> SynonymCandidate:
    group = sorted(group, key=lambda c: (_STRENGTH.index(c.source), -c.count))
    features: dict[str, float] = {f"from_{candidate.source}": 1.0 for candidate in group}
    for candidate in group:
        for name, value in candidate.features.items():
            features[name] = max(value, features.get(name, value))
    examples = list(dict.fromkeys(example for candidate in group for example in candidate.examples))
    return SynonymCandidate(
        ko=group[0].ko,
        en=group[0].en,
        source=group[0].source,
        count=max(candidate.count for candidate in group),
        examples=examples[:_MAX_EXAMPLES],
        features=features,
    )


def _frequent_terms(
    texts: Sequence[str], rows: Sequence[AlignedText], most: int
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    progress.note("counting frequent Korean and English terms")
    return (
        neighbours.frequent_korean(texts, most),
        neighbours.frequent_english([*texts, *(row.en for row in rows)], most),
    )


def _cap(candidates: Sequence[SynonymCandidate], most: int) -> tuple[list[SynonymCandidate], list[SynonymCandidate]]:
    """Curated pairs and the ``most`` best others; every source gets its share before the rest is filled."""
    curated = [c for c in candidates if c.source == "curated"]
    others = [c for c in candidates if c.source != "curated"]
    if len(others) <= most:
        return list(candidates), []
    by_source = Counter(c.source for c in others)
    share = most // len(by_source)
    rank: Counter[str] = Counter()
    first: list[SynonymCandidate] = []
    second: list[SynonymCandidate] = []
    for candidate in others:
        rank[candidate.source] += 1
        (first if rank[candidate.source] <= share else second).append(candidate)
    kept = first + second[: most - len(first)]
    return curated + kept, second[most - len(first) :]
