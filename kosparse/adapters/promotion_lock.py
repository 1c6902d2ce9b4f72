"""One promotion at a time: a lock in the object store, or else in the names of the registry.

Neither deletes what it has not seen: a lock carries its owner's token, and giving back or taking over fails where
somebody else's has come in between.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import uuid4

from kosparse.adapters.mlflow_rest import MlflowRest, Refused, unreachable
from kosparse.adapters.store_s3 import S3Store, open_store
from kosparse.errors import InputError, ServiceError
from kosparse.ports import bucket_and_prefix
from kosparse.settings import settings

STALE_SECONDS = 15 * 60.0
"""After this long an owner is taken for dead."""
_FREE = b"free"
_SAYS = "A promotion is going on: "
"""How the description begins by which a lock is told from a model somebody registered under its name."""


def promotion_lock(name: str, server: MlflowRest) -> AbstractContextManager[None]:
    """Be the only one who moves aliases of a registered model.

    Args:
        name: Of the registered model.
        server: Its registry, whose names lock where no store is set (``S3_ENDPOINT``, ``KOSPARSE_LOCKS``).

    Raises:
        ServiceError: Somebody else holds it, or the store or server fails.
        InputError: The lock's name belongs to a registered model.
    """
    current = settings()
    if current.s3_endpoint and current.locks:
        return store_lock(open_store(), current.locks, name)
    return name_lock(server, name)


@contextmanager
def store_lock(store: S3Store, address: str, name: str, *, stale_seconds: float = STALE_SECONDS) -> Iterator[None]:
    """A lock that is an object: every change of it is a conditional write.

    Args:
        store: Where.
        address: ``s3://bucket/prefix`` of locks.
        name: What is locked.
        stale_seconds: After this long an owner is taken for dead.

    Raises:
        ServiceError: Somebody else holds it, or the store knows no conditional writes.
    """
    bucket, prefix = bucket_and_prefix(address, of="locks", where="KOSPARSE_LOCKS")
    key, token = f"{prefix}{name}", uuid4().hex.encode()
    store.ensure_bucket(bucket)
    found = store.read(bucket, key)
    if found is not None and found.content != _FREE and found.age < stale_seconds:
        raise _held(name, f"s3://{bucket}/{key}", stale_seconds)
    store.write_if(bucket, key, token, etag=found.etag if found else None)
    # Read, not believed: a write that was tried again has refused itself, though it was done.
    mine = store.read(bucket, key)
    if mine is None or mine.content != token:
        raise _held(name, f"s3://{bucket}/{key}", stale_seconds)
    if store.write_if(bucket, key, token, etag=None):
        raise ServiceError(
            "the object store ignores the conditions of a write",
            where=f"s3://{bucket}/{key} at {store.endpoint}",
            fix="Set KOSPARSE_LOCKS= (empty): then the registry's names lock.",
        )
    try:
        yield
    finally:
        store.write_if(bucket, key, _FREE, etag=mine.etag)


@contextmanager
def name_lock(server: MlflowRest, name: str, *, stale_seconds: float = STALE_SECONDS) -> Iterator[None]:
    """A lock that is a registered model without versions: a registry creates a name once.

    A lock ends by getting a name made of its token, which it can get once. Of two who take over the same dead
    owner's, so, the later one fails; its grave stays for that.

    Args:
        server: The registry.
        name: What is locked.
        stale_seconds: After this long an owner is taken for dead.

    Raises:
        ServiceError: Somebody else holds it.
        InputError: The lock's name belongs to a registered model.
    """
    lock, token = f"{name}.promotion-lock", uuid4().hex
    if not _create(server, lock, token):
        dead = _stale_token(server, lock, stale_seconds)
        if dead is None or not _end(server, lock, dead) or not _create(server, lock, token):
            raise _held(name, server.uri, stale_seconds)
    try:
        yield
    finally:
        if _end(server, lock, token):
            server.delete("registered-models/delete", name=_grave(lock, token))


def _create(server: MlflowRest, lock: str, token: str) -> bool:
    try:
        server.post("registered-models/create", name=lock, description=_SAYS + token)
    except Refused as error:
        if error.code != "RESOURCE_ALREADY_EXISTS":
            raise unreachable(server.uri, error) from error
        return False
    return True


def _stale_token(server: MlflowRest, lock: str, stale_seconds: float) -> str | None:
    """The token of an owner who is taken for dead; None where the owner may live, or has just given back."""
    try:
        found = server.get("registered-models/get", name=lock)["registered_model"]
    except Refused:
        return None
    description = str(found.get("description", ""))
    if not description.startswith(_SAYS) or found.get("latest_versions"):
        raise InputError(
            f"the name {lock}, which a promotion locks by, is taken by a registered model",
            where=server.uri,
            fix="Rename that model in MLflow, then promote again.",
        )
    age = time.time() - float(found["creation_timestamp"]) / 1000
    return description.removeprefix(_SAYS) if age >= stale_seconds else None


def _end(server: MlflowRest, lock: str, token: str) -> bool:
    """End the lock of a token; False where that was done before."""
    try:
        server.post("registered-models/rename", name=lock, new_name=_grave(lock, token))
    except Refused:
        return False
    return True


def _grave(lock: str, token: str) -> str:
    return f"{lock}.{token}"


def _held(name: str, where: str, stale_seconds: float) -> ServiceError:
    return ServiceError(
        f"another promotion of {name} is going on",
        where=where,
        fix=f"Wait for it. A lock left over from a crash gives way after {stale_seconds / 60:.0f} minutes.",
    )
