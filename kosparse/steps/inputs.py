"""Addresses a user gives: paths of this machine, or objects of the store."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kosparse.corpus.lines import suffix_of
from kosparse.corpus.readers import SUFFIXES, Location
from kosparse.errors import InputError

_FILES = (*SUFFIXES, ".log")
"""A key that ends like this, packed or not, is one object; any other a folder."""


def bring(address: str, folder: Path) -> Location:
    """A local path as it is; an S3 address as a copy in ``folder``, known by its address.

    Raises:
        InputError: There is nothing below an S3 address. A local path is not looked at.
    """
    if not address.startswith("s3://"):
        return Location(Path(address), address)
    from kosparse.adapters.store_s3 import open_store

    bucket, _, key = address.removeprefix("s3://").partition("/")
    if suffix_of(Path(key)) in _FILES:
        path = folder / key.rsplit("/", 1)[-1]
        open_store().download(bucket, key, path)
        return Location(path, address)
    if open_store().fetch_folder(bucket, key, folder) == 0:
        raise InputError("there is nothing below this address", where=address, fix="Check bucket and prefix.")
    return Location(folder, address)


def no_corpus() -> InputError:
    """What to say where a collection is needed and none is named."""
    return InputError("no corpus was given", where="corpus", fix="make run CORPUS=my.jsonl")


@contextmanager
def brought(address: str) -> Iterator[Path | None]:
    """The file behind an address for as long as it is read; None for no address."""
    with tempfile.TemporaryDirectory(prefix="kosparse-input-") as folder:
        yield bring(address, Path(folder)).path if address else None
