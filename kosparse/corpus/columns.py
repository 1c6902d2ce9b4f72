"""Which column of a table is what: told by the user, else guessed from its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kosparse.errors import InputError

KNOWN = {
    "_id": ("_id", "id", "doc_id", "docid", "document_id", "uid", "번호", "문서번호", "문서id", "아이디", "일련번호"),
    "title": ("title", "subject", "headline", "제목", "문서제목", "기사제목"),
    "text": ("text", "body", "content", "contents", "passage", "document", "article", "본문", "내용", "문서", "원문"),
    "date": (
        *("date", "published_at", "published", "pub_date", "created_at", "created", "datetime", "timestamp"),
        *("날짜", "작성일", "작성일자", "등록일", "게시일", "발행일"),
    ),
    "url": ("url", "link", "href", "주소", "링크"),
    "lang": ("lang", "language", "언어"),
}
"""Field -> names it goes by, the most telling first."""
_LEAST_CHARACTERS = 40
"""A column of unknown name is the text only if its cells are about sentences."""


def choose(
    names: Sequence[str], given: Mapping[str, str], rows: Sequence[Mapping[str, Any]], where: str
) -> dict[str, str]:
    """Field -> column.

    Args:
        names: Of the table's columns.
        given: Field -> column, as the user says; the rest is guessed.
        rows: The first ones. Where no name says text but another field is known, the column of the longest
            texts is it.
        where: The file, for errors.

    Raises:
        InputError: A given column is not there, or none can be the text.

    >>> choose(["번호", "본문"], {}, [], "f"), choose(["id", "memo", "body"], {"text": "memo"}, [], "f")
    ({'_id': '번호', 'text': '본문'}, {'text': 'memo', '_id': 'id'})
    """
    missing = sorted(set(given.values()) - set(names))
    if missing:
        raise InputError(
            f"there is no column {', '.join(missing)}; there are {_listed(names)}",
            where=where,
            fix="Mend ingest_corpus.columns.",
        )
    found = dict(given)
    by_name = {name.strip().casefold(): name for name in reversed(names) if name not in given.values()}
    for field, known in KNOWN.items():
        hit = next((by_name[name] for name in known if name in by_name), None)
        if field not in found and hit is not None:
            found[field] = hit
    if "text" not in found:
        longest = _longest(rows, set(names) - set(found.values())) if found else None
        if longest is None:
            raise InputError(
                f"no column is called text; there are {_listed(names)}",
                where=where,
                fix=f"Say which it is: SET='ingest_corpus.columns=text:{names[0] if names else 'COLUMN'}'.",
            )
        found["text"] = longest
    return found


def _longest(rows: Sequence[Mapping[str, Any]], names: set[str]) -> str | None:
    lengths = {name: [len(row[name]) for row in rows if isinstance(row.get(name), str)] for name in sorted(names)}
    means = {name: sum(found) / len(found) for name, found in lengths.items() if found}
    best = max(means, key=lambda name: means[name], default=None)
    return best if best is not None and means[best] >= _LEAST_CHARACTERS else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (" ..." if len(names) > 20 else "") if names else "none"
