"""Scores of a further teacher, such as a cross-encoder or a language model, from a file of JSON lines.

A line is ``{"query": text, "passage_id": id, "score": number}``, or names a ``document_id``: a document scores as its
best passage, so its score is given to the one of its passages that the ensemble ranks first. As with the other
teachers (see ``teacher.py``), scores are brought to [0, 1] for each query; here by minimum and maximum over what the
file holds of it, so they may be probabilities, logits or grades.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from kosparse.corpus.lines import read_lines
from kosparse.corpus.locations import Location
from kosparse.corpus.text import normalise, one_line
from kosparse.errors import InputError
from kosparse.records import GivenScore, Passage, Reject

Places = tuple[int, ...]
"""Positions of the passages that one score is for: one, or all of a document."""


@dataclass(frozen=True)
class GivenScores:
    """What a file holds of some queries, and how much it counts."""

    rows: Sequence[Mapping[Places, float]]
    """One per query: scores in [0, 1] by the passages they are for; empty where none was given."""
    weight: float
    """Share of a given score in the mixture, 0 to 1."""
    counts: Mapping[str, int]
    """Lines used, lines left out by reason, queries with and without an order."""

    def mix(self, scores: NDArray[np.float32], first: int) -> None:
        """Mix the given scores into those of the ensemble, in place; passages without one keep theirs.

        Args:
            scores: Shape [queries, passages], in [0, 1].
            first: Position of their first query in ``rows``.
        """
        for row, given in zip(scores, self.rows[first : first + len(scores)], strict=True):
            # Documents first: where a passage has a score of its own, too, that one counts.
            wide = sorted(given.items(), key=lambda item: -len(item[0]))
            found = {max(places, key=row.__getitem__): score for places, score in wide}
            columns = list(found)
            row[columns] = (1 - self.weight) * row[columns] + self.weight * np.array(list(found.values()), np.float32)


def read_given_scores(
    file: Location, queries: Sequence[str], passages: Sequence[Passage], weight: float
) -> GivenScores:
    """Read a file of scores for the queries of a training set.

    Lines with a query or an id that the training set does not have, and all but the first of one query and passage,
    are counted and left out. So are queries whose scores are all the same: they tell no order.

    Args:
        file: JSON lines, packed and encoded as ``corpus.lines.read_lines`` takes them.
        queries: Texts, as the file names them; blanks beside or between words make no difference.
        passages: In the order of the ensemble's columns.
        weight: See ``GivenScores``.

    Raises:
        InputError: The file is missing or cannot be read, a line is no score, or none of its lines can be used.
    """
    if not file.path.exists():
        raise InputError(
            "there is no such file of scores", where=file.name, fix="Check build_training_set.teacher_scores."
        )
    keys = [_key(text) for text in queries]
    found: dict[str, dict[Places, float]] = {key: {} for key in keys}
    of_passage, of_document = _places(passages)
    counts = Counter(dict.fromkeys(("given_scores", "given_unknown_query", "given_unknown_passage", "given_twice"), 0))
    for score in _read(file):
        key = _key(score.query)
        places = of_passage.get(score.passage_id) if score.passage_id else of_document.get(score.document_id)
        if key not in found:
            counts["given_unknown_query"] += 1
        elif places is None:
            counts["given_unknown_passage"] += 1
        elif places in found[key]:
            counts["given_twice"] += 1
        else:
            found[key][places] = score.score
            counts["given_scores"] += 1
    ordered = {key: _normalised(scores) for key, scores in found.items()}
    counts["given_queries"] = sum(bool(scores) for scores in ordered.values())
    counts["given_queries_without_order"] = sum(bool(found[key]) and not ordered[key] for key in found)
    if not counts["given_queries"]:
        raise _useless(file, counts)
    return GivenScores([ordered[key] for key in keys], weight, counts)


def _read(file: Location) -> Iterator[GivenScore]:
    for number, line in read_lines(file):
        where, fix = f"{file.name}:{number}", "Write query, passage_id or document_id, and score in every line."
        if isinstance(line, Reject):
            raise InputError(f"not a score: {line.detail}", where=where, fix=fix)
        try:
            yield GivenScore.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            what = f"not a score: {field or 'line'}: {first['msg']}; got {line[:120].strip()!r}"
            raise InputError(what, where=where, fix=fix) from error


def _places(passages: Sequence[Passage]) -> tuple[dict[str, Places], dict[str, Places]]:
    """Positions by passage id, and by document id."""
    documents: dict[str, list[int]] = defaultdict(list)
    for place, passage in enumerate(passages):
        documents[passage.document_id].append(place)
    of_passage: dict[str, Places] = {passage.id: (place,) for place, passage in enumerate(passages)}
    return of_passage, {name: tuple(places) for name, places in documents.items()}


def _normalised(scores: Mapping[Places, float]) -> dict[Places, float]:
    """Minimum to 0, maximum to 1; nothing where they are the same."""
    low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
    return {places: (score - low) / (high - low) for places, score in scores.items()} if high > low else {}


def _useless(file: Location, counts: Mapping[str, int]) -> InputError:
    reasons = {name.removeprefix("given_"): count for name, count in counts.items() if count and name != "given_scores"}
    told = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
    return InputError(
        f"none of the scores can be used: {told or 'the file is empty'}",
        where=file.name,
        fix="Give two different scores or more for a query; texts and ids are those in training_set/queries.jsonl and "
        "passages.jsonl.",
    )


def _key(text: str) -> str:
    return one_line(normalise(text))
