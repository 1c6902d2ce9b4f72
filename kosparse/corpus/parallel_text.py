"""Parallel text of a user, whatever it comes in: gettext catalogues, translation memories, tables, translated files.

Beside ``parallel.jsonl`` a collection's folder may hold ``parallel/`` with ``.po``, ``.mo``, ``.tmx`` and ``.tsv``
files (Korean, tab, English), and text files below ``ko/`` and ``en/`` that are aligned by path and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from kosparse.corpus.readers import Location
from kosparse.records import AlignedText, Reject

_LANGUAGES = ("ko", "en")
_HANGUL, _LATIN = re.compile(r"[가-힣]"), re.compile(r"[A-Za-z]")
_ACCELERATOR = re.compile(r"\s?\([_&~][A-Za-z0-9]\)|[_&~](?=[A-Za-z가-힣])")
"""The key of a menu entry: ``파일(_F)``, ``_File``."""
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

Found = AlignedText | Reject


def read_folder(folder: Location) -> Iterator[Found]:
    """All rows of a ``parallel/`` folder, file by file in order of their names; what cannot be used as Rejects.

    Reasons: ``not_a_catalogue``, ``not_xml``, ``not_utf8``, ``not_two_columns``, ``not_translated`` (no Korean beside
    the English), ``not_aligned`` (a file with no counterpart, or of another number of lines), ``unknown_format``.
    """
    for path in sorted(path for path in folder.path.rglob("*") if path.is_file()):
        name = path.relative_to(folder.path)
        where = f"{folder.name}/{name}"
        if name.parts[0] in _LANGUAGES and len(name.parts) > 1:
            found = _translated_file(folder.path, name, where) if name.parts[0] == "ko" else iter(())
        elif reader := _READERS.get(path.suffix.lower()):
            found = reader(path, where)
        else:
            found = iter([_reject("unknown_format", where, "expected .po, .mo, .tmx, .tsv, ko/ or en/")])
        yield from found


def _rows(pairs: Iterable[tuple[str, str]], source: str, where: str) -> Iterator[Found]:
    """Rows with Korean on one side and English on the other; the others are counted in one Reject."""
    left_out = 0
    for ko, en in pairs:
        ko, en = " ".join(ko.split()), " ".join(en.split())
        if _HANGUL.search(ko) and _LATIN.search(en) and not _HANGUL.search(en):
            yield AlignedText(ko=ko, en=en, source=source, key=where)
        else:
            left_out += 1
    if left_out:
        yield _reject("not_translated", where, f"{left_out} entries")


def _catalogue(path: Path, where: str) -> Iterator[Found]:
    """A gettext catalogue, in the encoding its header names."""
    from babel.messages.mofile import read_mo
    from babel.messages.pofile import PoFileError, read_po

    try:
        with open(path, "rb") as stream:
            catalogue = read_mo(stream) if path.suffix.lower() == ".mo" else read_po(stream, abort_invalid=True)
    except (PoFileError, ValueError, LookupError, OSError) as error:
        yield _reject("not_a_catalogue", where, str(error))
        return
    pairs = ((_first(message.string), _first(message.id)) for message in catalogue if message.id and message.string)
    yield from _rows(((_label(ko), _label(en)) for ko, en in pairs), "catalogue", where)


def _first(text: str | tuple[str, ...] | list[str]) -> str:
    """The singular of a message with plural forms."""
    return text if isinstance(text, str) else text[0]


def _label(text: str) -> str:
    """Without the key of a menu entry.

    >>> _label("파일(_F)"), _label("_Open File...")
    ('파일', 'Open File...')
    """
    return _ACCELERATOR.sub("", text)


def _translation_memory(path: Path, where: str) -> Iterator[Found]:
    """A TMX file, read unit by unit. Entities it declares stay as they stand, and nothing is fetched."""
    from lxml import etree

    def pairs() -> Iterator[tuple[str, str]]:
        with open(path, "rb") as stream:
            for _, unit in etree.iterparse(stream, tag="{*}tu", resolve_entities=False, no_network=True):
                said = {
                    str(variant.get(_XML_LANG) or variant.get("lang") or "")[:2].lower(): " ".join(
                        "".join(segment.itertext()) for segment in variant.iter("{*}seg")
                    )
                    for variant in unit.iter("{*}tuv")
                }
                unit.clear()
                if said.keys() >= set(_LANGUAGES):
                    yield said["ko"], said["en"]

    try:
        yield from _rows(pairs(), "memory", where)
    except (etree.XMLSyntaxError, OSError) as error:
        yield _reject("not_xml", where, str(error))


def _table(path: Path, where: str) -> Iterator[Found]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        yield _reject("not_utf8", where, str(error))
        return
    cells = [(number, line.split("\t")) for number, line in enumerate(lines, 1) if line.strip()]
    for number, row in cells:
        if len(row) != 2:
            yield _reject("not_two_columns", f"{where}:{number}", f"{len(row)} columns")
    yield from _rows(((row[0], row[1]) for _, row in cells if len(row) == 2), "table", where)


def _translated_file(folder: Path, name: Path, where: str) -> Iterator[Found]:
    """A Korean file and the English one of the same path below ``en/``, line by line, blank lines left out."""
    english = folder / "en" / name.relative_to("ko")
    try:
        sides = [_lines(folder / name), _lines(english)]
    except FileNotFoundError:
        yield _reject("not_aligned", where, "there is no file of this path below en/")
        return
    except UnicodeDecodeError as error:
        yield _reject("not_utf8", where, str(error))
        return
    if len(sides[0]) != len(sides[1]):
        yield _reject("not_aligned", where, f"{len(sides[0])} lines, {len(sides[1])} below en/")
        return
    yield from _rows(zip(*sides, strict=True), "block", where)


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def _reject(reason: str, where: str, detail: str) -> Reject:
    return Reject(stage="ingest_corpus", reason=reason, where=where, detail=detail)


_READERS = {".po": _catalogue, ".mo": _catalogue, ".tmx": _translation_memory, ".tsv": _table}
