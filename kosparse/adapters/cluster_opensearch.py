"""An OpenSearch cluster: here, and only here, its client library is imported."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import opensearchpy
from opensearchpy import helpers

from kosparse.adapters.mlflow_rest import shown
from kosparse.errors import ConfigError, InputError, KosparseError, ServiceError
from kosparse.settings import Settings

_SECONDS, _ATTEMPTS, _BULK_ATTEMPTS = 30, 3, 5
_OLDEST = (2, 15)
_BUSY = (429, 502, 503, 504)
_BULK_BYTES = 10 * 1024 * 1024
_SHOWN_REFUSALS = 3


def open_cluster(settings: Settings) -> Cluster:
    """The cluster that the environment names, asked who it is.

    Raises:
        ConfigError: None is named, or the file of certificates is missing.
        ServiceError: It does not answer, its certificate is not trusted, or it refuses us.
    """
    if not settings.opensearch_url.startswith(("http://", "https://")):
        raise ConfigError(
            f"not the address of a cluster: {shown(settings.opensearch_url)!r}",
            where="OPENSEARCH_URL",
            fix="Set it, for example to https://search.example:9200.",
        )
    if settings.opensearch_ca and not Path(settings.opensearch_ca).is_file():
        raise ConfigError(
            f"there is no file {settings.opensearch_ca}",
            where="OPENSEARCH_CA_CERTS",
            fix="Name the PEM file of the authority that signed the cluster's certificate.",
        )
    return Cluster(
        settings.opensearch_url, settings.opensearch_username, settings.opensearch_password, settings.opensearch_ca
    )


class Cluster:
    """Calls of a cluster's REST API, as JSON objects; what is busy is asked again.

    Args:
        url: Its address. Over ``https`` its certificate is checked.
        username: Empty for none.
        password: Of that user.
        ca: PEM file of the authority that signed its certificate; empty for the usual ones.

    Raises:
        ServiceError: It does not answer or refuses us; from every method.
    """

    def __init__(self, url: str, username: str = "", password: str = "", ca: str = "") -> None:
        self.url, self.username = url, username
        # Its warnings would print a traceback for each attempt; what failed is told once, by us.
        logging.getLogger("opensearch").setLevel(logging.ERROR)
        self._client = opensearchpy.OpenSearch(
            hosts=[url],
            http_auth=(username, password) if username else None,
            verify_certs=True,
            ca_certs=ca or None,
            timeout=_SECONDS,
            max_retries=_ATTEMPTS,
            retry_on_timeout=True,
            retry_on_status=_BUSY,
        )
        answer = self.get("/") or {}
        if not isinstance(answer.get("version"), Mapping):
            raise ServiceError("this is not an OpenSearch cluster", where=shown(url), fix="Check OPENSEARCH_URL.")
        self.version = str(answer["version"].get("number", ""))

    def is_since(self, version: tuple[int, int]) -> bool:
        """Whether the cluster is of this version or a newer one."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version)[:2]) >= version

    def check_version(self, least: tuple[int, int] = _OLDEST, what: str = "Neural sparse queries") -> None:
        """Make sure that the cluster is new enough.

        Args:
            least: Version that is wanted.
            what: That wants it.

        Raises:
            ServiceError: It is not.
        """
        if not self.is_since(least):
            raise ServiceError(
                f"the cluster is OpenSearch {self.version}",
                where="OPENSEARCH_URL",
                fix=f"{what} as they are sent here need {'.'.join(map(str, least))} or newer.",
            )

    def get(self, path: str) -> Any:
        """What stands at a path; None when nothing does."""
        with self._told():
            try:
                return self._client.transport.perform_request("GET", path)
            except opensearchpy.NotFoundError:
                return None

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Put or post an object.

        Raises:
            InputError: The cluster finds a fault with it.
        """
        with self._told():
            return self._client.transport.perform_request(method, path, body=body)

    def fingerprints(self, index: str, ids: Sequence[str]) -> dict[str, str]:
        """The fingerprint of each passage that is there."""
        with self._told():
            body = {"docs": [{"_id": each, "_source": ["fingerprint"]} for each in ids]}
            answer = self._client.mget(body=body, index=index)
        found = (each for each in answer["docs"] if each.get("found"))
        return {each["_id"]: each["_source"].get("fingerprint", "") for each in found}

    def ids(self, index: str) -> Iterator[str]:
        """Ids of all passages that are there."""
        with self._told():
            for hit in helpers.scan(self._client, index=index, query={"_source": False}, size=5000):
                yield str(hit["_id"])

    def write(self, index: str, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        """Index passages, given as id and body, in bulk; returns how many.

        A request the cluster has no room for is sent again, later each time.

        Raises:
            InputError: The cluster refuses some; the others are there.
        """
        return self._bulk({"_op_type": "index", "_index": index, "_id": each, "_source": row} for each, row in rows)

    def delete(self, index: str, ids: Iterable[str]) -> int:
        """Remove passages; returns how many."""
        return self._bulk({"_op_type": "delete", "_index": index, "_id": each} for each in ids)

    def search(self, index: str, body: Mapping[str, Any], pipeline: str = "") -> list[dict[str, Any]]:
        """The hits of a search, best first."""
        with self._told():
            params = {"search_pipeline": pipeline} if pipeline else {}
            answer = self._client.search(index=index, body=dict(body), params=params)
        return list(answer["hits"]["hits"])

    def _bulk(self, actions: Iterable[Mapping[str, Any]]) -> int:
        done, refused = 0, []
        with self._told():
            for taken, answer in helpers.streaming_bulk(
                self._client,
                actions,
                max_chunk_bytes=_BULK_BYTES,
                max_retries=_BULK_ATTEMPTS,
                initial_backoff=1,
                max_backoff=30,
                raise_on_error=False,
            ):
                done += taken
                if not taken:
                    refused.append(next(iter(answer.values())))
        if refused:
            reasons = "; ".join(f"{each.get('_id')}: {_reason(each)}" for each in refused[:_SHOWN_REFUSALS])
            raise InputError(
                f"the cluster refuses {len(refused):,} passages: {reasons}",
                where=shown(self.url),
                fix="Mend the cause and run again: passages that are there are not sent again.",
            )
        return done

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the library's errors into ours."""
        try:
            yield
        except opensearchpy.OpenSearchException as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> KosparseError:
        where, status = shown(self.url), getattr(error, "status_code", None)
        if isinstance(error, opensearchpy.SSLError):
            what = f"the cluster's certificate is not trusted: {_cause(error)}"
            fix = "Set OPENSEARCH_CA_CERTS to the file of the authority that signed it; use the name it was made for."
        elif isinstance(error, opensearchpy.ConnectionError):
            what, fix = f"the cluster does not answer: {_cause(error)}", "Check OPENSEARCH_URL and that it runs."
        elif status == 401:
            what = f"the cluster does not accept the password of user {self.username!r}"
            fix = "Check OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD."
        elif "cluster_block_exception" in str(error):
            what, fix = (
                f"the index is read-only: {_cause(error)}",
                "Its disk may be full: free some, then run again.",
            )
        elif status == 403:
            what = f"user {self.username!r} may not do this: {_cause(error)}"
            fix = "Give it the rights on the index, its template and its pipelines."
        elif status in (400, 404):
            return InputError(f"the cluster finds a fault: {_cause(error)}", where=where, fix="Mend what it names.")
        else:
            what, fix = f"the cluster fails: {_cause(error)}", "Look into its log, then run again: what is there stays."
        return ServiceError(what, where=where, fix=fix)


def _reason(answer: Mapping[str, Any]) -> str:
    error = answer.get("error")
    return str(error.get("reason", error) if isinstance(error, Mapping) else error)[:200]


def _cause(error: Any) -> str:
    """What the cluster, or the network, gives as the reason."""
    info = error.args[2] if len(error.args) > 2 else error
    if isinstance(info, Mapping) and isinstance(info.get("error"), Mapping):
        inner = info["error"]
        return str((inner.get("root_cause") or [inner])[0].get("reason") or inner.get("reason"))[:300]
    return str(info)[:300]
