"""One query under the sparse model and under BM25, with the terms that made each result match."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from kosparse.corpus.morphemes import content_morphemes, content_morphemes_of, morphemes
from kosparse.corpus.text import one_line
from kosparse.evaluation.bm25 import Bm25
from kosparse.jsonl import read_records
from kosparse.models.quiet import quiet_transformers
from kosparse.records import Document, Passage
from kosparse.sparse.search import SparseIndex

_EXCERPT, _BEFORE = 240, 40
"""Characters of an excerpt, and how many of them stand before the first match."""
_TERMS_SHOWN = 12


class SideBySide:
    """A finished run, ready to be searched.

    Args:
        run: Its folder; the index is made there if it is missing.
    """

    def __init__(self, run: Path) -> None:
        self._documents = {row.id: row for row in read_records(run / "documents.jsonl", Document)}
        self._passages = {row.id: row.text for row in read_records(run / "passages.jsonl", Passage)}
        with quiet_transformers():
            self._index = SparseIndex.open(run / "model", run / "passages.jsonl", run / "index")
        self._rows = {name: row for row, name in enumerate(self._index.passage_ids)}
        ids = list(self._documents)
        self._positions = {name: position for position, name in enumerate(ids)}
        self._bm25 = Bm25(ids, content_morphemes_of([self._documents[name].searched for name in ids]))

    def __len__(self) -> int:
        return len(self._documents)

    def search(self, query: str, k: int) -> dict[str, Any]:
        """What a page shows of a query: its terms with weights, and ``k`` results of each system with their terms.

        A term of a result weighs what it adds to the score; ``in_text`` tells a word of the passage from one the
        model has added to it.
        """
        vector = self._index.model.encode_queries([query])
        terms = self._index.model.explain(vector)
        return {
            "query": query,
            "terms": [{"term": term, "weight": round(weight, 2)} for term, weight in terms],
            "sparse": [self._sparse_result(hit, vector) for hit in self._index.search(query, k)],
            "bm25": self._bm25_results(query, k),
        }

    def _sparse_result(self, hit: Any, vector: Any) -> dict[str, Any]:
        text = self._passages[hit.passage_id]
        shared = self._index.model.explain(self._index.weights[self._rows[hit.passage_id]].multiply(vector))
        words = set(content_morphemes(text))
        matched = [
            {"term": term, "weight": round(weight, 2), "in_text": term in words or term in text.casefold()}
            for term, weight in shared[:_TERMS_SHOWN]
        ]
        return self._result(hit.document_id, hit.score, text, matched)

    def _bm25_results(self, query: str, k: int) -> list[dict[str, Any]]:
        tokens = content_morphemes(query)
        alone = {token: self._bm25.scores([token]) for token in dict.fromkeys(tokens)}
        results = []
        for document_id, score in self._bm25.search(tokens, k):
            weights = {token: float(scores[self._positions[document_id]]) for token, scores in alone.items()}
            matched = [
                {"term": token, "weight": round(weight, 2), "in_text": True}
                for token, weight in sorted(weights.items(), key=lambda pair: -pair[1])
                if weight > 0
            ]
            results.append(self._result(document_id, score, self._documents[document_id].searched, matched))
        return results

    def _result(self, document_id: str, score: float, text: str, matched: Sequence[dict[str, Any]]) -> dict[str, Any]:
        document = self._documents[document_id]
        excerpt, marks = excerpt_of(text, {term["term"] for term in matched})
        return {
            "id": document_id,
            "title": document.title,
            "url": document.url if document.url and document.url.startswith(("http://", "https://")) else None,
            "score": round(score, 3),
            "matched": list(matched),
            "excerpt": excerpt,
            "marks": marks,
        }


def excerpt_of(text: str, terms: Collection[str]) -> tuple[str, list[tuple[int, int]]]:
    """The part of a text around its first matching morpheme, and where in it matching morphemes stand.

    >>> excerpt_of("시트의 셀을 잠급니다", {"셀"})
    ('시트의 셀을 잠급니다', [(4, 5)])
    """
    flat = one_line(text)
    found = [(each.start, each.end) for each in morphemes(flat) if each.form.casefold() in terms]
    begin = max(0, found[0][0] - _BEFORE) if found and len(flat) > _EXCERPT else 0
    shown = flat[begin : begin + _EXCERPT]
    marks = [(start - begin, end - begin) for start, end in found if start >= begin and end - begin <= len(shown)]
    return shown, marks
