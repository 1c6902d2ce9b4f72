"""Queries in one script whose relevant documents are in the other: no shared word leads there.

Made from parallel text that belongs to the collection. *Korean to English*: the pages relevant to Korean
queries are replaced by their aligned English blocks, all other pages stay. *English to Korean*: the English
heading or keyword aligned with a Korean query is asked of the Korean collection.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kosparse.corpus.morphemes import content_morphemes_of
from kosparse.corpus.passages import split_document
from kosparse.evaluation.judgements import Judgements
from kosparse.records import AlignedText, Document, Passage, SynonymEntry
from kosparse.synthetic.substitution import Lexicon

KO_EN, EN_KO = "ko_en", "en_ko"
_COVERED = 0.5
"""Share of a page's characters whose translation is known: below it the English page says too little."""


@dataclass(frozen=True)
class CrossScript:
    """One direction."""

    name: str
    """``ko_en`` (Korean queries, English pages) or ``en_ko``."""
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    replaced: dict[str, str]
    """Text in the other script by document id; empty where the collection stays as it is."""

    def documents(self, texts: Mapping[str, str]) -> dict[str, str]:
        """The collection to search, from all searched texts by id."""
        return {name: self.replaced.get(name, text) for name, text in texts.items()}

    def passages(self, passages: Sequence[Passage]) -> list[Passage]:
        """The same as passages: those of replaced documents are cut anew."""
        kept = [passage for passage in passages if passage.document_id not in self.replaced]
        cut = (split_document(Document(id=name, text=text)) for name, text in self.replaced.items())
        return kept + [passage for passages in cut for passage in passages]


def cross_script(
    judgements: Judgements, documents: Mapping[str, str], parallel: Iterable[AlignedText]
) -> list[CrossScript]:
    """The directions that the parallel text allows, each with at least one query.

    Args:
        judgements: Korean queries and what is relevant to them.
        documents: Searched text by id.
        parallel: Aligned blocks, headings and keywords; ``key`` is the id of their document.
    """
    blocks: dict[str, list[AlignedText]] = defaultdict(list)
    english: dict[tuple[str, str], str] = {}
    for row in parallel:
        if row.source == "block":
            blocks[row.key].append(row)
        else:
            english.setdefault((row.key, row.ko), row.en)
    return [
        found
        for found in (_korean_queries(judgements, documents, blocks), _english_queries(judgements, english))
        if found.queries
    ]


def _korean_queries(
    judgements: Judgements, documents: Mapping[str, str], blocks: Mapping[str, Sequence[AlignedText]]
) -> CrossScript:
    wanted = {name for grades in judgements.qrels.values() for name, grade in grades.items() if grade > 0}
    translated = {
        name: "\n".join(row.en for row in blocks[name])
        for name in sorted(wanted & blocks.keys())
        if sum(len(row.ko) for row in blocks[name]) >= _COVERED * len(documents[name])
    }
    qrels = {query: grades for query, grades in judgements.qrels.items() if translated.keys() >= _relevant(grades)}
    used = {name for grades in qrels.values() for name in _relevant(grades)}
    return CrossScript(
        KO_EN,
        {query: judgements.queries[query] for query in qrels},
        qrels,
        {name: text for name, text in translated.items() if name in used},
    )


def _english_queries(judgements: Judgements, english: Mapping[tuple[str, str], str]) -> CrossScript:
    queries = {}
    for query, text in judgements.queries.items():
        said = [english[key] for name in _relevant(judgements.qrels[query]) if (key := (name, text)) in english]
        if said:
            queries[query] = said[0]
    return CrossScript(EN_KO, queries, {query: judgements.qrels[query] for query in queries}, {})


def _relevant(grades: Mapping[str, int]) -> set[str]:
    return {name for name, grade in grades.items() if grade > 0}


def expanded_morphemes(
    queries: Sequence[str], entries: Iterable[SynonymEntry], threshold: float = 0.8
) -> list[list[str]]:
    """What a search engine's synonym filter makes of queries: morphemes, and those of every term's other side.

    Args:
        queries: Texts.
        entries: The dictionary.
        threshold: Entries below this probability are left out, unless they are curated.
    """
    lexicon = Lexicon(entry for entry in entries if entry.curated or entry.p >= threshold)
    others = [[term for match in lexicon.matches(query) for _, term in match.counterparts] for query in queries]
    cut = iter(content_morphemes_of([term for terms in others for term in terms]))
    added = [[token for _ in terms for token in next(cut)] for terms in others]
    return [own + more for own, more in zip(content_morphemes_of(queries), added, strict=True)]
