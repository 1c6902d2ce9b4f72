"""A collection's weights as Parquet shards: written one by one, so that a run that is killed goes on where it was.

Each shard holds the weights of so many passages (``id``, ``terms``, ``weights``) and says in its metadata from what
they were made. A shard that is whole and made from the same is left alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack

from kosparse.errors import InputError, ResourceError
from kosparse.export.hashing import folder_hash
from kosparse.progress import Bar, note
from kosparse.sparse.model import SparseModel, load_sparse_model
from kosparse.sparse.pruning import Pruning

SHARD = 2000
"""Passages of a shard."""
Precision = Literal["fp32", "bf16"]
_NAME, _METADATA = "weights-{:05d}.parquet", b"kosparse"


@dataclass(frozen=True)
class _Task:
    """One shard to be written."""

    path: Path
    ids: Sequence[str]
    texts: Sequence[str]
    pruning: Pruning
    precision: Precision
    origin: str
    """What the shard is made from, as JSON."""


def encode_to_shards(
    model: Path,
    ids: Sequence[str],
    texts: Sequence[str],
    folder: Path,
    *,
    pruning: Pruning | None = None,
    precision: Precision = "fp32",
    processes: int = 1,
    shard: int = SHARD,
) -> int:
    """Encode passages into shards; those that are there already are not encoded again.

    Args:
        model: Folder of a sparse model.
        ids: One per passage.
        texts: The passages, in the same order.
        folder: Where the shards lie; shards beyond the last are removed.
        pruning: Which weights are kept; all of them by default.
        precision: ``bf16`` multiplies in half precision, by autocast; the weights that are written are single.
        processes: How many encode side by side, each with its share of the threads or, in turn, of the GPUs.
        shard: Passages per shard.

    Returns:
        How many shards were written now.

    Raises:
        InputError: The model cannot be loaded.
        ResourceError: The disk is full, or a process died.
    """
    tasks = list(_tasks(folder_hash(model), ids, texts, folder, pruning or Pruning(), precision, shard))
    missing = [task for task in tasks if not _written(task)]
    if len(missing) < len(tasks):
        note(f"{len(tasks) - len(missing)} of {len(tasks)} shards are there already")
    bar = Bar("encoding", sum(len(task.ids) for task in missing), "passages")
    _make(folder)
    for count in _run(model, missing, min(processes, len(missing))):
        bar.advance(count)
    bar.close()
    for path in folder.glob("weights-*.parquet"):
        if path not in {task.path for task in tasks}:
            path.unlink()
    return len(missing)


def load_shards(folder: Path) -> tuple[list[str], csr_matrix]:
    """Ids and weights of all passages, in the order they were encoded: shape [passages, terms].

    Raises:
        InputError: There is no shard, or one cannot be read.
    """
    paths = sorted(folder.glob("weights-*.parquet"))
    if not paths:
        raise InputError("there are no encoded passages here", where=str(folder), fix="Encode the collection first.")
    ids, blocks = [], []
    for path in paths:
        found, weights = _read(path)
        ids += found
        blocks.append(weights)
    return ids, csr_matrix(vstack(blocks, format="csr"))


def _tasks(
    model: str,
    ids: Sequence[str],
    texts: Sequence[str],
    folder: Path,
    pruning: Pruning,
    precision: Precision,
    shard: int,
) -> Iterator[_Task]:
    for number, start in enumerate(range(0, len(ids), shard)):
        part = slice(start, start + shard)
        digest = hashlib.sha256(json.dumps([list(ids[part]), list(texts[part])]).encode()).hexdigest()
        made_from = {"model_sha256": model, "passages_sha256": digest, "precision": precision, **asdict(pruning)}
        yield _Task(folder / _NAME.format(number), ids[part], texts[part], pruning, precision, json.dumps(made_from))


def _written(task: _Task) -> bool:
    """Whether the shard is there, whole, and made from the same."""
    import pyarrow
    from pyarrow import parquet

    if not task.path.exists():
        return False
    try:
        told = json.loads(parquet.read_schema(task.path).metadata[_METADATA])
        found = {"precision": "fp32", **told}  # that of every shard from before it was told
    except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException):
        note(f"{task.path.name} is not a shard of ours or not whole; it is encoded again")
        return False
    return {name: found.get(name) for name in json.loads(task.origin)} == json.loads(task.origin)


def _run(model: Path, tasks: Sequence[_Task], processes: int) -> Iterator[int]:
    """Write the shards; yields the passages of each as it is done."""
    if processes <= 1:
        loaded = load_sparse_model(model) if tasks else None
        for task in tasks:
            assert loaded is not None
            yield _write(loaded, task)
        return
    context = get_context("spawn")
    places = context.SimpleQueue()
    for place in range(processes):
        places.put(place)
    try:
        with ProcessPoolExecutor(processes, context, _start, (str(model), places, processes)) as pool:
            yield from pool.map(_write_here, tasks)
    except BrokenProcessPool as error:
        raise ResourceError(
            "a process that encodes has died, most likely for want of memory",
            where=str(model),
            fix="Use fewer processes and run again: the shards written so far are kept.",
        ) from error


_here: list[SparseModel] = []
"""The model of this process, when it is one of several that encode."""


def _start(model: str, places: object, processes: int) -> None:
    """Load the model in a new process, on its own device."""
    place = places.get()  # type: ignore[attr-defined]
    if torch.cuda.is_available():
        device = f"cuda:{place % torch.cuda.device_count()}"
    else:
        device = "cpu"
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // processes))
    _here.append(load_sparse_model(Path(model), device))


def _write_here(task: _Task) -> int:
    return _write(_here[0], task)


def _write(model: SparseModel, task: _Task) -> int:
    """Encode one shard; the file appears only when complete."""
    import pyarrow
    from pyarrow import parquet

    with torch.autocast(model.encoder.device.type, torch.bfloat16, enabled=task.precision == "bf16"):
        weights = model.encode_documents(task.texts, task.pruning)
    weights.sort_indices()
    starts = weights.indptr.astype(np.int32)
    columns = {
        "id": pyarrow.array(list(task.ids), pyarrow.string()),
        "terms": pyarrow.ListArray.from_arrays(starts, weights.indices.astype(np.int32)),
        "weights": pyarrow.ListArray.from_arrays(starts, weights.data.astype(np.float32)),
    }
    origin = json.dumps({**json.loads(task.origin), "vocabulary": weights.shape[1]})
    table = pyarrow.table(columns).replace_schema_metadata({_METADATA: origin})
    partial = task.path.with_suffix(f".{os.getpid()}.partial")
    try:
        parquet.write_table(table, partial, compression="zstd")
        os.replace(partial, task.path)
    except OSError as error:
        raise _cannot_write(task.path, error) from error
    finally:
        partial.unlink(missing_ok=True)
    return len(task.ids)


def _read(path: Path) -> tuple[list[str], csr_matrix]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path).combine_chunks()
        vocabulary = json.loads(table.schema.metadata[_METADATA])["vocabulary"]
        terms, weights = (table[name].combine_chunks() for name in ("terms", "weights"))
        starts, columns, data = (part.to_numpy() for part in (terms.offsets, terms.values, weights.values))
        return table["id"].to_pylist(), csr_matrix((data, columns, starts), shape=(len(starts) - 1, vocabulary))
    except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
        raise InputError(
            f"not a shard of encoded passages: {error}", where=str(path), fix="Remove it and encode again."
        ) from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(path: Path, error: OSError) -> ResourceError:
    return ResourceError(
        f"cannot write: {error}",
        where=str(path),
        fix="Free disk space or choose another folder, then run again: the shards written so far are kept.",
    )
