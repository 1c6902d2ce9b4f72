"""JSON lines of records: read with ``file:line:field`` in every error, written all or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from kosparse.errors import InputError, ResourceError

Record = TypeVar("Record", bound=BaseModel)


def read_records(path: Path | str, kind: type[Record]) -> Iterator[Record]:
    """Yield one ``kind`` per non-empty line of a UTF-8 file, in file order.

    Raises:
        InputError: The file is missing, or a line is not JSON or not a ``kind``; names the line.
    """
    for number, line in read_lines(path):
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"not a {kind.__name__}: {field + ': ' if field else ''}{first['msg']}; got {line[:120]!r}",
                where=f"{path}:{number}",
                fix="Re-run the step that wrote this file, or mend the line.",
            ) from error


class Records(Generic[Record]):
    """The records of several files in turn, read anew each time they are iterated: any number in little memory.

    Args:
        paths: The files, as for ``read_records``.
        kind: What a line is.
    """

    def __init__(self, paths: Sequence[Path | str], kind: type[Record]) -> None:
        self._paths, self._kind = paths, kind

    def __iter__(self) -> Iterator[Record]:
        """Yield them in order.

        Raises:
            InputError: As ``read_records`` does.
        """
        return (record for path in self._paths for record in read_records(path, self._kind))


def read_lines(path: Path | str) -> Iterator[tuple[int, str]]:
    """Yield ``(line number from 1, line)`` for each non-blank line of a UTF-8 file.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read: {error}", where=str(path), fix="Check the path, its permissions and that it is UTF-8."
        ) from error


def write_records(path: Path | str, records: Iterable[BaseModel]) -> int:
    """Write records as JSON lines and return how many; the file appears only when complete.

    Raises:
        ResourceError: The disk is full or the folder cannot be written.
    """
    return write_lines(path, (record.model_dump_json(exclude_defaults=True) for record in records))


def write_lines(path: Path | str, lines: Iterable[str]) -> int:
    """Write lines of text (each gets a newline) and return how many; all or nothing."""
    path, count = Path(path), 0
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # two runs at once must not mix their lines
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "w", encoding="utf-8") as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
        os.replace(partial, path)
    except OSError as error:
        raise ResourceError(
            f"cannot write: {error}", where=str(path), fix="Free disk space or choose another folder, then run again."
        ) from error
    finally:
        with suppress(OSError):  # it was never made, or cannot be taken away: what went wrong before is what counts
            partial.unlink()
    return count


def write_json(path: Path | str, value: Any) -> None:
    """Write one JSON document, indented, Korean left readable; all or nothing."""
    write_lines(path, [json.dumps(value, ensure_ascii=False, indent=2, sort_keys=False, default=str)])


def read_json(path: Path | str) -> Any:
    """Read one JSON document.

    Raises:
        InputError: Missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"not a JSON file: {error}", where=str(path), fix="Re-run the step that wrote it.") from error
