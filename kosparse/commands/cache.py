"""``kosparse cache``: what is kept of the language model's answers."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from kosparse.errors import InputError, ResourceError
from kosparse.llm.responses import Responses
from kosparse.llm.segments import write_responses
from kosparse.settings import settings


def stats() -> None:
    """Print the answers kept, by model."""
    responses = _open()
    print(responses.path)
    unsent = len(responses.unsent())
    for row in responses.stats():
        days = f"{_day(row.first)} to {_day(row.last)}"
        print(f"  {row.model}: {row.answers:,} answers, {row.bytes / 1e6:,.1f} MB, {days}")
    print(
        f"  {responses.path.stat().st_size / 1e6:,.1f} MB on disk, {len(responses.merged())} segments taken in or given"
    )
    if unsent:
        print(f"  {unsent:,} answers are in no segment yet: the next run puts them into one")


def export(path: Path, model: str) -> None:
    """Write answers to a gzipped JSON lines file: key, model, completion, created."""
    responses = _open()
    try:
        count = write_responses(path, responses.all(model))
    except OSError as error:
        raise ResourceError(f"cannot write: {error}", where=str(path), fix="Choose another file.") from error
    print(f"{count:,} answers in {path}")


def prune(days: float, model: str) -> None:
    """Forget answers that are older; segments in the object store stay, see their bucket's lifecycle rules."""
    gone = _open().prune(before=time.time() - days * 86400, model=model)
    print(f"{gone:,} answers forgotten")


def _open() -> Responses:
    path = settings().response_cache
    if not path.exists():
        raise InputError("no answers are kept here yet", where=str(path), fix="Set KOSPARSE_CACHE, or run first.")
    return Responses(path)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
