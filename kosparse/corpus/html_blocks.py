"""The texts of an HTML tree, block by block."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from kosparse.corpus.text import normalise, one_line

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_BLOCKS = frozenset({*HEADINGS, "p", "pre", "div", "section", "br", "ul", "ol", "li", "dl", "dt", "dd"}) | {
    *("table", "tr", "td", "th", "article", "main", "header", "footer", "aside", "nav", "blockquote", "figure"),
    *("figcaption", "hr", "address", "form", "body", "html"),
}


def blocks(area: Any, without: Collection[str] = ()) -> Iterator[str]:
    """The texts between block boundaries, each on one line, empty ones left out.

    Args:
        area: An lxml element.
        without: Tags whose text is left out.
    """
    held: list[str] = []
    for piece in _pieces(area, without):
        if piece is not None:
            held.append(piece)
        else:
            if text := clean("".join(held)):
                yield text
            held = []


def clean(text: str) -> str:
    """Normalised, on one line."""
    return one_line(normalise(text))


def _pieces(element: Any, without: Collection[str]) -> Iterator[str | None]:
    """Texts in order; None where a block begins or ends."""
    stack: list[tuple[Any, bool]] = [(element, False)]
    while stack:
        node, left = stack.pop()
        boundary = node.tag in _BLOCKS
        if left:
            if boundary:
                yield None
            if node.tail and node is not element:
                yield node.tail
            continue
        if boundary:
            yield None
        stack.append((node, True))
        if isinstance(node.tag, str) and node.tag not in without:
            if node.text:
                yield node.text
            stack.extend((child, False) for child in reversed(node))
