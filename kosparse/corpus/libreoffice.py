"""The sample corpus: LibreOffice's help, Korean pages with real queries, English beside it.

Source: Debian's ``libreoffice-help-ko`` and ``libreoffice-help-en-us`` (MPL-2.0). The queries are the
pages' own headings and the entries of the help index that lead to them. Nobody judged these for us:
headings are taken out of the documents, and a system must not train on them for pages of the test
split. ``python -m kosparse.corpus.libreoffice [CACHE]`` fetches and builds it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from kosparse import progress
from kosparse.corpus.debian import unpack_packages
from kosparse.corpus.help_pages import HelpPage, keyword_query, read_page
from kosparse.corpus.splitting import SPLITS, split_of_query
from kosparse.corpus.text import hangul_share, hangul_syllables, query_key
from kosparse.errors import InputError
from kosparse.jsonl import read_json, write_json, write_lines, write_records
from kosparse.records import AlignedText

PACKAGES = ("libreoffice-help-ko", "libreoffice-help-en-us")
FOLDER = Path("corpora") / "libreoffice-help"
"""Where the corpus lies below the cache."""

_RULES = 1
"""Raised when the same packages would give another corpus: a folder built by older rules is replaced."""
_HELP = Path("usr/share/libreoffice/help")
_MIN_SYLLABLES, _MIN_SHARE = 80, 0.3
_TITLE_CHARACTERS, _KEYWORD_CHARACTERS = (3, 60), (4, 60)
_KEYWORD_WORDS = 2
_QUERY_SHARE = 0.5
_MAX_PAGES = 5
"""A query relevant to more pages than this is too vague to judge a system by."""

Pages = dict[str, HelpPage]
"""By id: the path below ``text/`` without ``.html``."""


def fetch_sample(cache: Path) -> Path:
    """Return the BEIR folder of the sample corpus, made at the first call (under a minute).

    The folder holds ``corpus.jsonl``, ``queries.jsonl``, ``qrels/{train,validation,test}.tsv``,
    ``parallel.jsonl`` (AlignedText) and ``source.json`` (versions and counts). It appears when complete.

    Raises:
        InputError: No apt-get on this machine, or packages that hold no help.
        ServiceError: No mirror serves the packages.
    """
    target = cache / FOLDER
    if _is_current(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".libreoffice-", dir=target.parent) as work:
        progress.note(f"downloading {' and '.join(PACKAGES)} (5 MB)")
        versions = unpack_packages(PACKAGES, Path(work) / "packages")
        finished = Path(work) / "corpus"
        build(Path(work) / "packages" / _HELP, finished, versions)
        _move(finished, target)
    progress.note(describe(target))
    return target


def describe(folder: Path) -> str:
    """One line about a built corpus."""
    source = read_json(folder / "source.json")
    return (
        "LibreOffice help {libreoffice-help-ko}: ".format(**source["packages"])
        + "{documents:,} documents, {queries:,} queries ({test_queries:,} test), {judgements:,} judgements, "
        "{parallel:,} aligned texts".format(**source["counts"])
    )


def build(help_folder: Path, target: Path, versions: Mapping[str, str]) -> dict[str, int]:
    """Write the BEIR folder from unpacked help.

    Args:
        help_folder: Holds ``ko/text/**.html`` and ``en-US/text/**.html``.
        target: Folder to write.
        versions: Of the packages, for ``source.json``.

    Returns:
        Counts of documents, queries, test_queries, judgements and parallel.
    """
    korean = _read_pages(help_folder / "ko" / "text", "Korean pages")
    english = _read_pages(help_folder / "en-US" / "text", "English pages")
    documents, canonical = choose_documents(korean)
    judged = judge(korean, canonical)
    counts = {
        "documents": write_lines(target / "corpus.jsonl", (_json(row) for row in _rows(documents, versions))),
        "queries": write_lines(
            target / "queries.jsonl", (_json({"_id": _query_id(text), "text": text}) for text in judged)
        ),
        "test_queries": sum(split_of_query(pages) == "test" for pages in judged.values()),
        "judgements": _write_qrels(target / "qrels", judged),
        "parallel": write_records(target / "parallel.jsonl", align(korean, english)),
    }
    source = {"packages": dict(versions), "licence": "MPL-2.0", "rules": _RULES, "counts": counts}
    write_json(target / "source.json", source)
    return counts


def choose_documents(pages: Pages) -> tuple[dict[str, str], dict[str, str]]:
    """The pages that are really Korean, exact duplicates merged into the one that comes first.

    Returns:
        Body by document id, and document id by page id (of each page whose body is kept).
    """
    first: dict[str, str] = {}
    documents: dict[str, str] = {}
    canonical: dict[str, str] = {}
    for page_id in sorted(pages):
        body = pages[page_id].body
        if hangul_syllables(body) < _MIN_SYLLABLES or hangul_share(body) < _MIN_SHARE:
            continue
        canonical[page_id] = first.setdefault(query_key(body), page_id)
        documents.setdefault(canonical[page_id], body)
    return documents, canonical


def judge(pages: Pages, canonical: Mapping[str, str]) -> dict[str, list[str]]:
    """Relevant document ids by query text; vague queries and those that straddle test left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for page_id, document_id in canonical.items():
        for text in _queries(pages[page_id]):
            if document_id not in found[text]:
                found[text].append(document_id)
    return {text: ids for text, ids in found.items() if len(ids) <= _MAX_PAGES and split_of_query(ids)}


def align(korean: Pages, english: Pages) -> Iterator[AlignedText]:
    """The same content in both languages: elements by their id, index keywords by their place.

    ``key`` is the page's id. Headings and keywords of pages are evaluation queries: ``source`` tells
    them from blocks so that they can be left out.
    """
    for page_id in sorted(korean.keys() & english.keys()):
        pairs = dict.fromkeys(_aligned(korean[page_id], english[page_id]))
        for source, ko, en in pairs:
            if ko and en and ko != en and hangul_syllables(ko):
                yield AlignedText(ko=ko, en=en, source=source, key=page_id)


def _read_pages(folder: Path, what: str) -> Pages:
    paths = sorted(folder.rglob("*.html"))
    if not paths:
        raise InputError(
            "the packages hold no help pages",
            where=str(folder),
            fix="Use your own documents: make run CORPUS=my.jsonl",
        )
    read = progress.track(paths, what, unit="pages")
    return {path.relative_to(folder).with_suffix("").as_posix(): read_page(path) for path in read}


def _queries(page: HelpPage) -> Iterator[str]:
    """What somebody would type to find this page."""
    if _fits(page.title, _TITLE_CHARACTERS):
        yield page.title
    for keyword in page.keywords:
        text = keyword_query(keyword)
        if _fits(text, _KEYWORD_CHARACTERS) and len(text.split()) >= _KEYWORD_WORDS:
            yield text


def _fits(text: str, characters: tuple[int, int]) -> bool:
    """Of the right length, and at least half Hangul."""
    return characters[0] <= len(text) <= characters[1] and hangul_share(text) >= _QUERY_SHARE


def _aligned(korean: HelpPage, english: HelpPage) -> Iterator[tuple[str, str, str]]:
    for element_id, (tag, text) in korean.by_id.items():
        if element_id in english.by_id:
            yield ("block" if tag == "p" else "heading"), text, english.by_id[element_id][1]
    if len(korean.keywords) == len(english.keywords):
        for ko, en in zip(korean.keywords, english.keywords, strict=True):
            yield "keyword", keyword_query(ko), keyword_query(en)


def _rows(documents: Mapping[str, str], versions: Mapping[str, str]) -> Iterator[dict[str, str]]:
    release = re.search(r"(?:^|:)(\d+\.\d+)", versions.get(PACKAGES[0], ""))
    site = f"https://help.libreoffice.org/{release[1] if release else 'latest'}/ko/text"
    for document_id, body in documents.items():
        yield {"_id": document_id, "title": "", "text": body, "url": f"{site}/{document_id}.html", "lang": "ko"}


def _query_id(text: str) -> str:
    """The same text has the same id whatever else the package holds."""
    return "q" + hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:10]


def _write_qrels(folder: Path, judged: Mapping[str, list[str]]) -> int:
    total = 0
    for split in SPLITS:
        rows = [
            f"{_query_id(text)}\t{document_id}\t1"
            for text, ids in judged.items()
            if split_of_query(ids) == split
            for document_id in ids
        ]
        total += write_lines(folder / f"{split}.tsv", ["query-id\tcorpus-id\tscore", *rows]) - 1
    return total


def _json(row: Mapping[str, str]) -> str:
    return json.dumps(row, ensure_ascii=False)


def _is_current(target: Path) -> bool:
    source = target / "source.json"
    return source.exists() and read_json(source).get("rules") == _RULES


def _move(finished: Path, target: Path) -> None:
    """Put the finished folder in place; another process may have been faster."""
    if target.exists() and not _is_current(target):
        shutil.rmtree(target)
    try:
        finished.rename(target)
    except OSError:
        if not _is_current(target):
            raise


def main(arguments: Iterable[str]) -> None:
    """Fetch and build below the folder given, or below the cache; print where and what."""
    from kosparse.settings import settings

    folder = fetch_sample(next((Path(argument) for argument in arguments), settings().cache))
    sys.stdout.write(f"{folder}\n{describe(folder)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
