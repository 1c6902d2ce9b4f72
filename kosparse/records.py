"""Every row type, declared once. Frozen, unknown fields refused, ids are strings.

Text is Unicode NFC. Counts are >= 0, probabilities in [0, 1]; scores are unbounded unless stated.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Row(BaseModel):
    """Base of all records."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(Row):
    """One document of the collection, in BEIR's words (``_id`` becomes ``id``)."""

    id: str = Field(min_length=1)
    text: str
    title: str = ""
    date: str | None = None
    """ISO 8601 day or timestamp; None when unknown."""
    url: str | None = None
    lang: str | None = None

    @property
    def searched(self) -> str:
        """What is searched: the title and the text below it, as BEIR joins them; no title twice."""
        return f"{self.title}\n{self.text}" if self.title and not self.text.startswith(self.title) else self.text


class Passage(Row):
    """A stretch of one document, cut at sentence ends. A document scores as its best passage."""

    id: str = Field(min_length=1)
    """``<document_id>#<position>``."""
    document_id: str
    position: int = Field(ge=0)
    text: str


class Query(Row):
    """Something a person typed, or might have."""

    id: str = Field(min_length=1)
    text: str


class LoggedQuery(Query):
    """A query of a search engine's log."""

    count: int = Field(default=1, ge=0)
    """How often it was asked."""


class Qrel(Row):
    """A relevance judgement: 0 is judged not relevant, higher is more relevant."""

    query_id: str
    document_id: str
    relevance: int = 1


class AlignedText(Row):
    """The same content in Korean and English (a block of a translated page, a catalogue entry)."""

    ko: str
    en: str
    source: str
    """Where it comes from: ``heading``, ``keyword``, ``block``, ``catalogue`` ..."""
    key: str = ""
    """The page or catalogue the two sides were aligned in."""


class Provenance(Row):
    """How a generated row came to be. Two equal provenances and one LLM cache give one text."""

    prompt: str
    """``id@version:hash`` of the prompt file."""
    model: str
    quantization: str = ""
    seed: int = 0
    sample: int = 0


Origin = Literal["document_to_query", "query_to_document", "augmented", "pseudo", "real"]


class Pair(Row):
    """A query and a passage that answers it, with every score it earned on the way."""

    id: str
    query: str
    passage_id: str
    document_id: str
    origin: Origin
    query_type: str = ""
    """``keyword``, ``question``, ``colloquial`` ... or the kind of augmentation."""
    grade: int = Field(default=3, ge=0, le=3)
    """3 exact, 2 partial, 1 related, 0 off-topic."""
    parent: str = ""
    """Id of the pair this one was derived from."""
    scores: dict[str, float] = {}
    provenance: Provenance | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the passage is meant to answer the query; one of a lower grade was written not to."""
        return self.grade >= 2


class NegativeDoc(Row):
    """A passage that does not answer a pair's query: mined from the collection, or written."""

    pair_id: str
    passage_id: str
    kind: Literal["bm25", "dense", "sparse", "llm"]
    score: float = 0.0
    text: str = ""
    """Only for written negatives; a mined one is found by ``passage_id``."""
    error_type: str = ""
    """For written negatives: in which way it fails to answer."""
    provenance: Provenance | None = None


class TrainingQuery(Row):
    """A query the sparse encoder learns from, or is held out to choose a checkpoint by."""

    id: str
    text: str
    origin: Origin
    passage_id: str
    """Where it came from; what should be found."""
    split: Literal["train", "validation"]
    """``validation`` for the documents of the validation split: held-out synthetic, never real."""

    @property
    def group(self) -> Literal["real", "synthetic", "pseudo"]:
        """What a batch is mixed of."""
        if self.origin in ("real", "pseudo"):
            return self.origin
        return "synthetic"


class GivenScore(Row):
    """What a teacher outside the pipeline says of a passage, or of a document, for a query: a line of its file."""

    query: str = Field(min_length=1)
    passage_id: str = ""
    document_id: str = ""
    """Looked at where there is no ``passage_id``."""
    score: float = Field(ge=-1e30, le=1e30, allow_inf_nan=False)
    """Higher is more relevant; any unit."""

    @model_validator(mode="after")
    def _names_a_text(self) -> Self:
        if not self.passage_id and not self.document_id:
            raise ValueError("passage_id and document_id are both missing")
        return self


class SynonymCandidate(Row):
    """A Korean and an English term that may name the same thing, and why we think so."""

    ko: str
    en: str
    source: str
    """``curated``, ``aligned``, ``pattern``, ``transliteration``, ``embedding``, ``discovered``."""
    count: int = Field(default=1, ge=0)
    examples: list[str] = []
    features: dict[str, float] = {}


Relation = Literal[
    "equivalent",
    "transliteration",
    "abbreviation",
    "spelling",
    "hypernym",
    "hyponym",
    "related",
    "antonym",
    "wrong",
    "unknown",
]
"""Of the English term to the Korean one: a ``hypernym`` means more than it, a ``hyponym`` less."""


class Verdict(Row):
    """What verification made of a candidate."""

    candidate: SynonymCandidate
    relation: Relation = "unknown"
    p: float = Field(ge=0, le=1)
    """Calibrated probability that the two terms may stand for each other."""
    log_odds: dict[str, float] = {}
    types: dict[str, float] = {}
    """What the language model said of how they relate, as log-probabilities; empty where it was not asked that."""
    asked_llm: bool = False
    provenance: Provenance | None = None


Direction = Literal["both", "ko_to_en", "en_to_ko"]


class SynonymEntry(Row):
    """One line of the dictionary."""

    ko: str
    en: str
    p: float = Field(ge=0, le=1)
    relation: Relation = "equivalent"
    direction: Direction = "both"
    """Which term may be searched when the other is asked for: ``ko_to_en`` turns Korean queries into English ones
    and not the reverse. One way for hypernyms, hyponyms and homographs."""
    sources: list[str] = []
    count: int = Field(default=1, ge=0)
    examples: list[str] = []
    features: dict[str, float] = {}
    log_odds: dict[str, float] = {}
    """What the language model answered, by question; empty where it was not asked."""
    types: dict[str, float] = {}
    """As in ``Verdict``."""
    curated: bool = False


class AnswerToken(Row):
    """One token of an answer, and what could have stood in its place."""

    text: str
    logprobs: dict[str, float]
    """Natural-log probabilities of the most likely tokens at this place."""


class Completion(Row):
    """One raw answer of a language model. This is what the response cache stores."""

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    first_token_logprobs: dict[str, float] = Field(default_factory=dict)  # pydantic would copy a default, deeply
    """Natural-log probabilities of the most likely first tokens, when asked for."""
    tokens: list[AnswerToken] = Field(default_factory=list)
    """Every token of the answer, when asked for."""
    cached: bool = False
    shortened_by: int = Field(default=0, ge=0)
    """Characters of the request's ``may_shorten`` that were left out, because it was too long for the model."""


class Reject(Row):
    """A row that was left out: at which stage, why, and the row itself."""

    stage: str
    reason: str
    """A short stable word: counted and shown in the funnel."""
    detail: str = ""
    where: str = ""
    """``file:line`` for input rows, the record's id otherwise."""
    row: dict[str, Any] = {}


class Flag(Row):
    """Something about a document that its owner should know."""

    document_id: str
    kind: Literal["duplicate", "near_duplicate", "personal_data"]
    detail: str
    """The document it repeats and how similar it is, or the kinds of personal data."""
