"""Terms out of parallel text: short rows that are terms on both sides, and words that keep company.

Evaluation stays honest: the headings and index keywords of pages are the evaluation's queries, so
heading and keyword rows of pages in the test split are left out here. Blocks are body text, which a
system may see.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import sparse

from kosparse.corpus.splitting import split_of
from kosparse.records import AlignedText, Reject, SynonymCandidate
from kosparse.synonyms import phrases
from kosparse.synonyms.terms import pair_key, problem, tidy, tidy_english

_QUERY_SOURCES = frozenset({"heading", "keyword"})
_MAX_WORDS = 3
"""Longer rows are phrases rather than terms."""
_MAX_EXAMPLES = 3
_GAP_PENALTY = 0.02
"""Per noun more or fewer than English words: pivot goes with 피벗, pivot table with 피벗 테이블."""
_NESTED_SHARE = 0.8
"""A term is only part of a longer one when the longer has this share of its occurrences."""


def usable(rows: Iterable[AlignedText]) -> list[AlignedText]:
    """The rows mining may look at: no headings or keywords of test pages."""
    return [row for row in rows if row.source not in _QUERY_SOURCES or split_of(row.key) != "test"]


def mine_short_rows(rows: Sequence[AlignedText]) -> tuple[list[SynonymCandidate], list[Reject]]:
    """Rows whose two sides are terms: headings, keywords, catalogue entries, table cells, button names.

    Returns:
        Candidates with ``source="aligned"``, most frequent first, with features ``aligned`` (rows that
        say so) and ``aligned_share`` (of all rows with this Korean term). Rows that are sentences are not
        terms at all and are passed over without a reject.
    """
    pairs = [(tidy(row.ko), tidy_english(row.en)) for row in rows if _is_short(row)]
    phrase = dict(zip([ko for ko, _ in pairs], phrases.is_noun_phrase([ko for ko, _ in pairs]), strict=True))
    seen: dict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
    rejects = []
    for ko, en in pairs:
        if reason := problem(ko, en) or ("" if phrase[ko] else "no_noun_phrase"):
            rejects.append(Reject(stage="mine_synonyms", reason=reason, row={"ko": ko, "en": en}))
        else:
            seen[pair_key(ko, en)][ko, en] += 1
    totals: Counter[str] = Counter()
    for (korean, _), forms in seen.items():
        totals[korean] += forms.total()
    candidates = [_short_candidate(forms, totals[key[0]]) for key, forms in seen.items()]
    return sorted(candidates, key=lambda c: (-c.count, c.ko, c.en)), rejects


def _is_short(row: AlignedText) -> bool:
    """Few enough words for a term. Keywords of several words are index entries (삭제 셀 내용), not phrases."""
    if row.source == "keyword" and len(row.ko.split()) > 1:
        return False
    return len(row.ko.split()) <= _MAX_WORDS and len(row.en.split()) <= _MAX_WORDS + 1


def _short_candidate(forms: Counter[tuple[str, str]], total: int) -> SynonymCandidate:
    (ko, en), _ = forms.most_common(1)[0]
    count = forms.total()
    features = {"aligned": float(count), "aligned_share": count / total}
    return SynonymCandidate(ko=ko, en=en, source="aligned", count=count, features=features)


def mine_associations(rows: Sequence[AlignedText], min_count: int = 3, min_dice: float = 0.3) -> list[SynonymCandidate]:
    """Korean noun phrases and English words or bigrams that occur in the same aligned rows.

    Args:
        rows: Parallel text, sentences included.
        min_count: Rows in which both must occur.
        min_dice: Least ``2 c(ko, en) / (c(ko) + c(en))``.

    Returns:
        Candidates with ``source="aligned"`` whose two sides are each other's best partner by Dice, with
        features ``dice`` and ``log_likelihood`` (Dunning's G^2, unbounded, as log1p), best first.
    """
    rows = list({(row.ko, row.en): row for row in rows}.values())  # boilerplate repeats; company does not
    if not rows:
        return []
    runs_of = phrases.noun_runs([row.ko for row in rows])
    korean_sets = [phrases.korean_terms(runs, row.ko) for row, runs in zip(rows, runs_of, strict=True)]
    nouns = {term: count for terms in korean_sets for term, count in terms.items()}
    korean, left = _incidence(korean_sets, min_count)
    english, right = _incidence([phrases.english_terms(row.en) for row in rows], min_count)
    free_korean, free_english = _free(korean, left), _free(english, right)
    if not korean or not english:
        return []
    together = (left.T @ right).tocoo()
    left_counts, right_counts = (np.asarray(matrix.sum(axis=0)).ravel() for matrix in (left, right))
    dice = 2 * together.data / (left_counts[together.row] + right_counts[together.col])
    gap = np.abs(np.array([nouns[k] for k in korean])[together.row] - np.array(_words(english))[together.col])
    best = _mutual_best(together.row, together.col, dice - _GAP_PENALTY * gap)
    good = best & (together.data >= min_count) & (dice >= min_dice)
    good &= free_korean[together.row] & free_english[together.col]
    found = []
    for position in np.flatnonzero(good):
        i, j, count = together.row[position], together.col[position], int(together.data[position])
        if problem(korean[i], english[j]):
            continue
        g2 = _log_likelihood(count, int(left_counts[i]), int(right_counts[j]), len(rows))
        examples = _examples(rows, left[:, [i]], right[:, [j]])
        features = {"dice": float(dice[position]), "log_likelihood": float(np.log1p(g2)), "together": float(count)}
        found.append(
            SynonymCandidate(
                ko=korean[i], en=english[j], source="aligned", count=count, examples=examples, features=features
            )
        )
    return sorted(found, key=lambda c: (-c.features["dice"], c.ko, c.en))


def _words(terms: Sequence[str]) -> list[int]:
    return [len(term.split()) for term in terms]


def _incidence(term_sets: Sequence[Iterable[str]], min_count: int) -> tuple[list[str], sparse.csc_matrix]:
    """Terms of at least ``min_count`` rows, sorted, and the 0/1 matrix [rows, terms]."""
    counts = Counter(term for terms in term_sets for term in terms)
    names = sorted(term for term, count in counts.items() if count >= min_count)
    column = {term: position for position, term in enumerate(names)}
    cells = [(i, column[term]) for i, terms in enumerate(term_sets) for term in terms if term in column]
    row_ids, columns = zip(*cells, strict=True) if cells else ((), ())
    ones = np.ones(len(cells), dtype=np.int32)
    return names, sparse.csc_matrix((ones, (row_ids, columns)), shape=(len(term_sets), len(names)))


def _free(terms: Sequence[str], incidence: sparse.csc_matrix) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """False for a term that nearly always stands inside one longer term: 도구 모 of 도구 모음."""
    counts = np.asarray(incidence.sum(axis=0)).ravel()
    column = {term: position for position, term in enumerate(terms)}
    free = np.ones(len(terms), dtype=bool)
    for position, term in enumerate(terms):
        for shorter in _inner(term):
            inner = column.get(shorter)
            if inner is not None and counts[position] >= _NESTED_SHARE * counts[inner]:
                free[inner] = False
    return free


def _inner(term: str) -> set[str]:
    """What is left of a term without some of its words or syllables on one side."""
    cuts = range(1, len(term)) if " " not in term else [i for i, c in enumerate(term) if c == " "]
    return {part.strip() for i in cuts for part in (term[:i], term[i:])}


def _mutual_best(
    rows: np.ndarray[tuple[int], np.dtype[np.int32]],
    columns: np.ndarray[tuple[int], np.dtype[np.int32]],
    scores: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Cells that hold the highest score of their row and of their column; ties all count."""
    best_row, best_column = np.zeros(rows.max() + 1), np.zeros(columns.max() + 1)
    np.maximum.at(best_row, rows, scores)
    np.maximum.at(best_column, columns, scores)
    return (scores >= best_row[rows]) & (scores >= best_column[columns])


def _log_likelihood(both: int, left: int, right: int, total: int) -> float:
    """Dunning's G^2 of a 2x2 table (Accurate methods for the statistics of surprise and coincidence, 1993)."""
    observed = np.array([[both, left - both], [right - both, total - left - right + both]], dtype=float)
    expected = observed.sum(1, keepdims=True) @ observed.sum(0, keepdims=True) / total
    cells = observed > 0
    return float(2 * (observed[cells] * np.log(observed[cells] / expected[cells])).sum())


def _examples(rows: Sequence[AlignedText], left: sparse.csc_matrix, right: sparse.csc_matrix) -> list[str]:
    """The shortest rows with both terms, as ``Korean | English``."""
    both = sorted((left.multiply(right)).nonzero()[0], key=lambda i: len(rows[i].ko))
    return [f"{rows[i].ko} | {rows[i].en}" for i in both[:_MAX_EXAMPLES]]
