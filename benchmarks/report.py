"""Every benchmark ends the same way: a table, and the same rows with their circumstances in ``results/<name>.json``."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def finish(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    command: str,
    notes: Sequence[str] = (),
    packages: Sequence[str] = (),
    versions: Mapping[str, str] | None = None,
) -> None:
    """Write the result and print the table.

    Args:
        name: Of the file; it is overwritten.
        rows: One mapping per line; all have the same keys.
        command: What a reader types to repeat it, without paths of this machine.
        notes: What a reader must know to read the figures.
        packages: Installed here; their versions are recorded.
        versions: Versions of what runs elsewhere.
    """
    found = {package: metadata.version(package) for package in packages} | dict(versions or {})
    result = {
        "name": name,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": command,
        "machine": machine(),
        "load_average": round(os.getloadavg()[0], 1),
        "versions": {"python": platform.python_version(), **found},
        "notes": list(notes),
        "rows": [dict(row) for row in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, ensure_ascii=False, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    print(f"\n{name}, {result['machine']}, {result['date']}")
    for note in notes:
        print(f"  {note}")
    print(table(rows))


def machine() -> str:
    """Cores and processor: ``2 cores, AMD EPYC``."""
    cpu = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2] for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = " ".join(names[0].split()) if names else cpu
    return f"{len(os.sched_getaffinity(0))} cores, {cpu}"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as aligned columns.

    >>> print(table([{"n": 1, "rate": 0.5}, {"n": 16, "rate": 12.25}]))
     n  rate
     1   0.5
    16 12.25
    """
    cells = [list(rows[0]), *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join(
        " ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
