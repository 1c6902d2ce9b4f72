"""A folder of texts: every ``.txt``, ``.md`` and ``.html`` file is a document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lxml import etree, html

from kosparse.corpus.html_blocks import blocks, clean
from kosparse.corpus.lines import read_whole, reject, suffix_of
from kosparse.corpus.locations import Location
from kosparse.errors import InputError
from kosparse.records import Reject

SUFFIXES = (".txt", ".md", ".markdown", ".html", ".htm")
_HEADING = re.compile(r"#\s+(.+)")
_NO_TEXT = ("script", "style", "noscript", "template", "svg", "head", "nav")
_DATES = ("article:published_time", "date", "dcterms.date", "dc.date", "pubdate")


def read_text_file(file: Location, document_id: str, encodings: Counter[str]) -> dict[str, Any] | Reject:
    """One document: id, text, title where the file names one (``<title>``, ``# heading``), date where HTML tells it.

    Reasons: ``unknown_encoding``, ``unreadable``, ``no_text``.
    """
    try:
        content, encoding = read_whole(file)
    except UnicodeDecodeError as error:
        return reject("unknown_encoding", f"neither UTF-8 nor CP949: {error.reason}", file.name, "")
    except InputError as error:
        return reject("unreadable", error.what, file.name, "")
    encodings[encoding] += 1
    kind = suffix_of(file.path)
    if kind in (".html", ".htm"):
        found = read_html(content)
        return {"_id": document_id, **found} if found["text"] else reject("no_text", "HTML", file.name, content)
    first, _, rest = content.lstrip().partition("\n")
    heading = _HEADING.fullmatch(first.strip()) if kind in (".md", ".markdown") else None
    return {"_id": document_id, "title": heading[1] if heading else "", "text": rest if heading else content}


def read_html(content: str) -> dict[str, Any]:
    """Title, text (one block a line; menus, scripts and styles left out) and date of a page.

    >>> read_html("<title>제목</title><nav>메뉴</nav><p>첫째<br>둘째</p>")
    {'title': '제목', 'text': '첫째\\n둘째', 'date': None}
    """
    try:
        tree = html.document_fromstring(content.encode(), parser=html.HTMLParser(encoding="utf-8"))
    except etree.ParserError:
        return {"title": "", "text": "", "date": None}
    title = tree.findtext(".//title") or next((node.text_content() for node in tree.iter("h1")), "")
    dates: Iterator[str] = (
        meta.get("content", "")
        for meta in tree.iter("meta")
        if (meta.get("property") or meta.get("name") or "").lower() in _DATES
    )
    text = "\n".join(dict.fromkeys(block for block in blocks(tree, _NO_TEXT)))
    return {"title": clean(title), "text": text, "date": next(dates, None)}
