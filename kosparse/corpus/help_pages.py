"""Read one page of LibreOffice's HTML help."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import html

from kosparse.corpus.html_blocks import HEADINGS, blocks, clean
from kosparse.corpus.text import one_line

_KEYWORD_SIGNS = re.compile(r"[,;]|--")


@dataclass(frozen=True)
class HelpPage:
    """What a page says, in order of appearance; all texts on one line."""

    title: str
    """The first h1; "" when the page has none."""
    head_title: str
    """The HTML title."""
    blocks: tuple[str, ...]
    """Text of each block, the h1 left out."""
    by_id: dict[str, tuple[str, str]]
    """Element id: (tag, text) of paragraphs and headings. Ids are the same in every language."""
    keywords: tuple[str, ...]
    """Entries of the help index that lead here, as written: ``셀; 보호``."""

    @property
    def body(self) -> str:
        """The blocks, one a line, without any that equals a title and each once."""
        titles = {self.title, self.head_title}
        return "\n".join(dict.fromkeys(block for block in self.blocks if block not in titles))


def read_page(path: Path) -> HelpPage:
    """Read a help page from its HTML file (UTF-8)."""
    tree = html.document_fromstring(path.read_bytes(), parser=html.HTMLParser(encoding="utf-8"))
    areas = tree.xpath('//div[@id="DisplayArea"]')
    area = areas[0] if areas else tree
    for element in area.xpath('.//*[@hidden and @class="MAC"]|.//script|.//style'):
        element.drop_tree()
    heading = area.find(".//h1")
    return HelpPage(
        title="" if heading is None else _text(heading),
        head_title=clean(tree.findtext(".//title") or ""),
        blocks=tuple(blocks(area, without=("h1",))),
        by_id={
            element.get("id"): (element.tag, _text(element))
            for element in area.iter("p", *HEADINGS)
            if element.get("id")
        },
        keywords=tuple(clean(meta.get("content", "")) for meta in area.xpath('.//meta[@itemprop="keywords"]')),
    )


def keyword_query(keyword: str) -> str:
    """An index entry as somebody would type it.

    >>> keyword_query("셀; 보호 -- 해제")
    '셀 보호 해제'
    """
    return one_line(_KEYWORD_SIGNS.sub(" ", keyword))


def _text(element: Any) -> str:
    return clean(element.text_content())
