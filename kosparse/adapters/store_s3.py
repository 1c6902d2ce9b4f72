"""An object store over the S3 protocol, by the ``minio`` client: MinIO, SeaweedFS, AWS."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from kosparse import ports
from kosparse.errors import ConfigError, InputError, ResourceError, ServiceError
from kosparse.settings import Settings, settings

_CONNECT_SECONDS, _READ_SECONDS = 5.0, 120.0
_RETRIES = 3
_AT_ONCE = 8
_ANOTHER_WAS_FASTER = (409, 412)
"""Statuses of a conditional write that was not done."""


@dataclass(frozen=True)
class StoredObject:
    """A small object, read whole."""

    content: bytes
    etag: str
    """Names the content; what ``write_if`` compares."""
    age: float
    """Seconds since it was written, by the store's clock."""


def open_store() -> S3Store:
    """Open the store the settings name (``S3_ENDPOINT``, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``).

    Raises:
        ConfigError: No endpoint is set, or it is not an address.
    """
    current = settings()
    return S3Store(current.s3_endpoint, current.s3_access_key, current.s3_secret_key, current.s3_region)


def buckets_of(current: Settings) -> list[str]:
    """Those that answers, checkpoints and locks are kept in.

    Raises:
        ConfigError: One of the settings is no ``s3://bucket/prefix``.
    """
    places = {
        "KOSPARSE_LLM_CACHE": current.llm_cache,
        "KOSPARSE_CHECKPOINTS": current.checkpoints,
        "KOSPARSE_LOCKS": current.locks,
    }
    return sorted({ports.bucket_and_prefix(at, of="a place", where=name)[0] for name, at in places.items() if at})


class S3Store(ports.ObjectStore):
    """Buckets and objects behind one endpoint.

    Every method raises ServiceError when the endpoint cannot be reached or refuses the credentials,
    and InputError when the bucket or object is not there.
    """

    def __init__(self, endpoint: str, access_key: str, secret_key: str, region: str = "us-east-1") -> None:
        self.endpoint = endpoint
        self._pool = _pool()
        self._client = _client(endpoint, access_key, secret_key, region, self._pool)

    def upload(self, path: Path, bucket: str, key: str) -> None:
        """Put one file."""
        with self._told(bucket, key):
            self._client.fput_object(bucket, key, str(path))

    def download(self, bucket: str, key: str, path: Path) -> None:
        """Get one object into a file; parents are created, the file appears only when complete."""
        with self._told(bucket, key):
            self._client.fget_object(bucket, key, str(path))

    def list(self, bucket: str, prefix: str) -> list[str]:
        """Keys below a prefix, sorted."""
        with self._told(bucket, prefix):
            found = self._client.list_objects(bucket, prefix=prefix, recursive=True)
            return sorted(item.object_name for item in found if not item.is_dir)

    def exists(self, bucket: str, key: str) -> bool:
        """Whether there is an object with this key."""
        from minio.error import S3Error

        with self._told(bucket, key):
            try:
                self._client.stat_object(bucket, key)
            except S3Error as error:
                if error.code in ("NoSuchKey", "NoSuchObject"):
                    return False
                raise
        return True

    def read(self, bucket: str, key: str) -> StoredObject | None:
        """A small object; None when there is none."""
        from minio.error import S3Error

        with self._told(bucket, key):
            try:
                response = self._client.get_object(bucket, key)
            except S3Error as error:
                if error.code in ("NoSuchKey", "NoSuchObject"):
                    return None
                raise
            with response:
                now, written = (parsedate_to_datetime(response.headers[name]) for name in ("Date", "Last-Modified"))
                return StoredObject(response.read(), response.headers["ETag"], (now - written).total_seconds())

    def write_if(self, bucket: str, key: str, content: bytes, *, etag: str | None) -> bool:
        """Put a small object only where the stored one is as expected: of several writers at once one succeeds.

        Args:
            bucket: Where.
            key: What.
            content: The new content.
            etag: Of the object to replace; None where there must be none yet.

        Returns:
            Whether it was written.
        """
        condition = {"If-None-Match": "*"} if etag is None else {"If-Match": etag}
        with self._told(bucket, key):
            # The client's own put knows no conditions; an address it has signed takes them.
            address = self._client.presigned_put_object(bucket, key)
            response = self._pool.request("PUT", address, body=content, headers=condition)
        if response.status in _ANOTHER_WAS_FASTER:
            return False
        if response.status >= 400:
            code = re.search(r"<Code>(.*?)</Code>", response.data.decode(errors="replace"))
            where = f"s3://{bucket}/{key} at {self.endpoint}"
            raise _explain(code[1] if code else str(response.status), "a conditional write", where)
        return True

    def delete(self, bucket: str, key: str) -> None:
        """Remove one object; fine when there is none."""
        with self._told(bucket, key):
            self._client.remove_object(bucket, key)

    def ensure_bucket(self, bucket: str) -> None:
        """Create the bucket unless it exists; fine when another process creates it at the same time."""
        from minio.error import S3Error

        with self._told(bucket, ""):
            if self._client.bucket_exists(bucket):
                return
            try:
                self._client.make_bucket(bucket)
            except S3Error as error:
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

    def mirror_folder(self, folder: Path, bucket: str, prefix: str) -> int:
        """Upload every file below a folder, keeping the paths; return how many."""
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        prefix = prefix.strip("/")
        keys = [f"{prefix}/{path.relative_to(folder).as_posix()}".lstrip("/") for path in files]
        _all(self.upload, [(path, bucket, key) for path, key in zip(files, keys, strict=True)])
        return len(files)

    def fetch_folder(self, bucket: str, prefix: str, folder: Path) -> int:
        """Download every object below a prefix into a folder, keeping the paths; return how many.

        Raises:
            InputError: A key would be written outside the folder; then nothing is written.
        """
        base = prefix.strip("/") + "/" if prefix.strip("/") else ""
        keys = [key for key in self.list(bucket, base) if not key.endswith("/")]
        paths = [inside(Path(folder), key.removeprefix(base)) for key in keys]
        _all(self.download, [(bucket, key, path) for key, path in zip(keys, paths, strict=True)])
        return len(keys)

    @contextmanager
    def _told(self, bucket: str, key: str) -> Iterator[None]:
        """Turn the client's errors into ours, with the address and what to do."""
        from minio.error import InvalidResponseError, S3Error, ServerError
        from urllib3.exceptions import HTTPError

        where = f"s3://{bucket}/{key} at {self.endpoint}"
        try:
            yield
        except S3Error as error:
            raise _explain(error.code or "", error.message or "", where) from error
        except (InvalidResponseError, ServerError, HTTPError) as error:
            raise ServiceError(
                f"the object store does not answer: {str(error)[:300]}",
                where=where,
                fix="Check that S3_ENDPOINT is the address of a running S3 store.",
            ) from error
        except FileNotFoundError as error:
            raise InputError(f"no such file: {error.filename}", where=where, fix="Check the path.") from error
        except OSError as error:
            raise ResourceError(f"cannot write: {error}", where=where, fix="Free disk space and run again.") from error
        except ValueError as error:
            raise InputError(f"not a bucket or key: {error}", where=where, fix="Choose another name.") from error


def inside(folder: Path, key: str) -> Path:
    """The file a key is kept in below a folder.

    Raises:
        InputError: The key would lead out of the folder.

    >>> inside(Path("out"), "a/b.txt").as_posix()
    'out/a/b.txt'
    """
    parts = PurePosixPath(key).parts
    if not parts or ".." in parts or PurePosixPath(key).is_absolute() or "\\" in key or "\0" in key:
        raise InputError(f"the key {key!r} leads out of the folder", where=str(folder), fix="Rename the object.")
    target = folder.joinpath(*parts)
    if not os.path.realpath(target).startswith(os.path.realpath(folder) + os.sep):
        raise InputError(f"the key {key!r} leads through a link out of the folder", where=str(folder), fix="Rename it.")
    return target


def _all(call: Callable[..., None], arguments: list[tuple[Any, ...]]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for future in [pool.submit(call, *each) for each in arguments]:
            future.result()


def _pool() -> Any:
    import urllib3

    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
        retries=urllib3.Retry(total=_RETRIES, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        maxsize=_AT_ONCE,
    )


def _client(endpoint: str, access_key: str, secret_key: str, region: str, pool: Any) -> Any:
    from minio import Minio

    address = urlsplit(endpoint)
    try:
        if address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/"):
            raise ValueError("an address such as http://minio-service.kubeflow:9000 is needed")
        secure = address.scheme == "https"
        return Minio(address.netloc, access_key, secret_key, secure=secure, region=region, http_client=pool)
    except ValueError as error:
        raise ConfigError(
            f"not the address of an object store: {error}", where=f"S3_ENDPOINT={endpoint!r}", fix="Mend S3_ENDPOINT."
        ) from error


def _explain(code: str, message: str, where: str) -> ServiceError | InputError:
    if code in ("NoSuchKey", "NoSuchBucket", "NoSuchObject"):
        return InputError(f"not in the object store ({code})", where=where, fix="Check bucket and key.")
    if code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
        fix = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        return ServiceError(f"the object store refuses our credentials ({code}: {message})", where=where, fix=fix)
    return ServiceError(f"the object store answers {code}: {message}", where=where, fix="See the store's log.")
