"""A finished run in the object store: brought to this machine as far as a refresh reads it, and left there refreshed.

Below a run's address lies what its tasks wrote: ``<task>/<artifact>``, as local runs are mirrored, or with the
execution's id between the two, as newer KFP drivers lay it. Refreshed runs lie below ``<address>/refreshed``, and
``refreshed/latest`` names the last whole one.
"""

from __future__ import annotations

import re
from pathlib import Path

from kosparse.adapters.store_s3 import inside, open_store
from kosparse.commands.run_folder import link_outputs
from kosparse.errors import ConfigError, InputError
from kosparse.ports import ObjectStore

NEEDED = {
    "ingest-corpus": ("documents", "passages"),
    "compute-idf": ("idf",),
    "detect-trends": ("trends",),
    "serve-llm": ("llm",),
    "mine-synonyms": ("candidates",),
    "verify-synonyms": ("verdicts",),
    "discover-synonyms": ("discovered",),
    "train-sparse": ("model",),
    "evaluate": ("results/index",),
}
"""Task -> what a refresh reads of it."""
_REFRESHED, _LATEST, _SETTINGS = "refreshed", "latest", "arguments.json"


def is_stored(run: str) -> bool:
    """Whether this is an address, not a folder of this machine."""
    return run.startswith("s3://")


def bring_run(addresses: str, folder: Path) -> Path:
    """A folder like that of a local run, made of a stored run as its last refresh has left it.

    Args:
        addresses: ``s3://bucket/prefix`` of the run. What its tasks took from Kubeflow's cache lies below the runs that
            computed it: their addresses follow, with blanks between, and are asked in turn.
        folder: In which to make it, under the run's name.

    Raises:
        ConfigError: An address is not one.
        InputError: Something that a refresh reads is below none of them.
        ServiceError: The store cannot be reached.
    """
    store, places = open_store(), [_place(address) for address in addresses.split()]
    latest = _latest(store, *places[0], folder)
    if latest:
        places.insert(0, latest)
    run = inside(folder, places[0][1].rsplit("/", 1)[-1])
    tasks = run / "outputs" / "kosparse"
    missing = []
    for task, artifacts in NEEDED.items():
        for artifact in artifacts:
            if not any(_bring(store, *place, task, artifact, tasks) for place in places):
                missing.append(f"{task}/{artifact}")
    if missing:
        raise InputError(
            f"the run lacks {', '.join(missing)}",
            where=addresses,
            fix="What Kubeflow took from its cache lies below an earlier run: add its address, with a blank between.",
        )
    if latest:
        store.download(latest[0], f"{latest[1]}/{_SETTINGS}", run / _SETTINGS)
    link_outputs(run, {path.name.replace("-", "_"): path for path in tasks.iterdir()})
    return run


def leave_run(run: Path, addresses: str) -> str:
    """Put a refreshed run below the address of the run it began with, and let ``latest`` name it; where it lies."""
    store, (bucket, prefix) = open_store(), _place(addresses.split()[0])
    root = f"{prefix}/{_REFRESHED}"
    tasks = run / "outputs" / "refresh"
    for path in sorted(tasks.rglob("*")):
        if path.is_file():
            store.upload(path, bucket, f"{root}/{run.name}/{path.relative_to(tasks).as_posix()}")
    for name in (_SETTINGS, "refresh.json"):
        store.upload(run / name, bucket, f"{root}/{run.name}/{name}")
    pointer = run.with_name(f".{_LATEST}.name")
    pointer.write_text(run.name, encoding="utf-8")
    store.upload(pointer, bucket, f"{root}/{_LATEST}")  # last: whoever reads it finds a whole run
    return f"s3://{bucket}/{root}/{run.name}"


def _latest(store: ObjectStore, bucket: str, prefix: str, folder: Path) -> tuple[str, str] | None:
    key = f"{prefix}/{_REFRESHED}/{_LATEST}"
    if key not in store.list(bucket, key):
        return None
    store.download(bucket, key, folder / _LATEST)
    name = (folder / _LATEST).read_text(encoding="utf-8").strip()
    return bucket, f"{prefix}/{_REFRESHED}/{name}"


def _bring(store: ObjectStore, bucket: str, prefix: str, task: str, artifact: str, tasks: Path) -> bool:
    """Whether the artifact, a file or a folder, is below this place; then it is below ``tasks`` too."""
    start = f"{prefix}/{task}/"
    wanted = re.compile(rf"(?P<execution>[^/]+/)??(?P<path>{re.escape(artifact)}(?:/.+)?)")
    found = [(key, match) for key in store.list(bucket, start) if (match := wanted.fullmatch(key.removeprefix(start)))]
    # A task that Kubeflow ran again after a failure has several executions; each that has the artifact wrote it whole.
    executions = sorted({match["execution"] or "" for _, match in found})[:1]
    for key, match in found:
        if (match["execution"] or "") in executions:
            store.download(bucket, key, inside(tasks / task, match["path"]))
    return bool(found)


def _place(address: str) -> tuple[str, str]:
    """Bucket and prefix."""
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if not is_stored(address) or not bucket or not prefix:
        raise ConfigError(f"not the address of a run: {address!r}", where="--run", fix="Give s3://bucket/prefix.")
    return bucket, prefix
