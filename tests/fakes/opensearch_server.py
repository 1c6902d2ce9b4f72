"""An HTTP server that speaks as much of OpenSearch's REST API as the bundle needs, and really scores.

``neural_sparse`` is the dot product, ``match`` counts shared words, ``hybrid`` adds its parts. Rows are checked
like a ``rank_features`` field checks them. With ``certificate`` it speaks TLS.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


class FakeOpenSearch:
    """A cluster of one node on a free loopback port; a context manager.

    Args:
        password: Wanted of the user ``admin``; empty lets everybody in.
        failures: Status codes, or ``reset``, of the first bulk requests; None answers.
        version: What it says it is.
        lacks: Setting whose file the nodes do not have, such as ``synonyms_path``.
        certificate: PEM files of a certificate and its key.
    """

    def __init__(
        self,
        password: str = "",
        failures: Iterable[int | str | None] = (),
        version: str = "3.1.0",
        lacks: str = "",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.password, self.failures, self.version = password, list(failures), version
        self.lacks = lacks
        self.objects: dict[str, Any] = {}
        """Templates and pipelines by path."""
        self.indices: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.models: dict[str, tuple[dict[str, Any], bytes]] = {}
        """What each model was registered with, and its zip."""
        self.changes: list[str] = []
        """``METHOD path`` of every request that changed something."""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> FakeOpenSearch:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        parts = path.strip("/").split("/")
        if path == "/":
            return 200, {"version": {"distribution": "opensearch", "number": self.version}}
        if parts[0] in ("_index_template", "_search", "_ingest") and parts[-1] != "scroll":
            return self._object(method, path, parts, body)
        if parts[-1] == "scroll":
            return 200, {"_scroll_id": "1", "hits": {"hits": []}} if method == "POST" else {}
        if parts[:3] == ["_plugins", "_ml", "models"]:
            return self._model(parts[3:], body)
        if parts[0] == "_plugins":
            self.changes.append(f"{method} {path}")
            return 200, {}
        return self._of_index(method, parts, query, body)

    def _object(self, method: str, path: str, parts: list[str], body: Any) -> tuple[int, Any]:
        if method == "PUT":
            self.objects[path] = body
            self.changes.append(f"PUT {path}")
            return 200, {"acknowledged": True}
        if path not in self.objects:
            return 404, {}
        if parts[0] == "_index_template":
            return 200, {"index_templates": [{"name": parts[-1], "index_template": self.objects[path]}]}
        return 200, {parts[-1]: self.objects[path]}

    def _model(self, parts: list[str], body: Any) -> tuple[int, Any]:
        if parts == ["meta"]:
            name = f"model-{len(self.models)}"
            self.models[name] = (body, b"")
            return 200, {"model_id": name, "status": "CREATED"}
        name, _, _number = parts
        settings, content = self.models[name]
        self.models[name] = (settings, content + body)
        return 200, {"status": "Uploaded"}

    def _of_index(self, method: str, parts: list[str], query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        name, action = ("", parts[0]) if parts[0].startswith("_") else (parts[0], parts[-1])
        if action == "_bulk":
            return self._bulk(body)
        if len(parts) == 1:
            if self.lacks:
                return _fault("illegal_argument_exception", f"IOException while reading {self.lacks}")
            self.indices[name] = body["mappings"]
            self.changes.append(f"PUT /{name}")
            return 200, {"acknowledged": True}
        if name not in self.indices:
            return 404, {"error": {"reason": f"no such index [{name}]"}, "status": 404}
        if action == "_mapping" and method == "PUT":
            self.indices[name] = {**self.indices[name], **body}
            self.changes.append(f"PUT /{name}/_mapping")
            return 200, {"acknowledged": True}
        if action == "_mapping":
            return 200, {name: {"mappings": self.indices[name]}}
        if action == "_mget":
            return 200, {"docs": [self._got(each["_id"]) for each in body["docs"]]}
        if action == "_search":
            return 200, {"_scroll_id": "1", "_shards": {"total": 1, "successful": 1}, **self._search(query, body)}
        return 200, {}

    def _got(self, row_id: str) -> dict[str, Any]:
        row = self.rows.get(row_id)
        return {"_id": row_id, "found": row is not None, **({"_source": row} if row else {})}

    def _bulk(self, lines: list[Any]) -> tuple[int, Any]:
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, int):
            return failure, {"error": {"type": "busy", "reason": "no room"}, "status": failure}
        if failure == "reset":
            raise ConnectionResetError
        items, waiting = [], iter(lines)
        for action in waiting:
            (kind, where), row = next(iter(action.items())), None
            if kind == "index":
                row = next(waiting)
                if bad := [term for term, weight in row["sparse"].items() if not weight > 0]:
                    error = {"type": "mapper_parsing_exception", "reason": f"feature {bad[0]} must be positive"}
                    items.append({kind: {"_id": where["_id"], "status": 400, "error": error}})
                    continue
                self.rows[where["_id"]] = row
            else:
                del self.rows[where["_id"]]
            self.changes.append(f"{kind} {where['_id']}")
            items.append({kind: {"_id": where["_id"], "status": 200}})
        return 200, {"errors": any("error" in next(iter(each.values())) for each in items), "items": items}

    def _search(self, query: dict[str, list[str]], body: Any) -> dict[str, Any]:
        if "query" not in body:
            return {"hits": {"hits": [{"_id": each, "_source": {}} for each in self.rows]}}
        if "hybrid" in body["query"] and "/_search/pipeline/" + query["search_pipeline"][0] not in self.objects:
            raise ValueError("a hybrid query needs its pipeline")
        scored = sorted(((_score(body["query"], row), each) for each, row in self.rows.items()), reverse=True)
        best: dict[str, Any] = {}
        for score, each in scored:
            if score > 0:
                row = self.rows[each]
                best.setdefault(row[body["collapse"]["field"]], {"_id": each, "_score": score, "_source": row})
        return {"hits": {"hits": list(best.values())[: body["size"]]}}


def _score(query: dict[str, Any], row: dict[str, Any]) -> float:
    kind, asked = next(iter(query.items()))
    if kind == "hybrid":
        return sum(_score(part, row) for part in asked["queries"])
    field, wanted = next(iter(asked.items()))
    if kind == "match":
        return float(len(set(wanted["query"].split()) & set(row[field].split())))
    return sum(weight * row[field].get(term, 0.0) for term, weight in wanted["query_tokens"].items())


def _fault(kind: str, reason: str) -> tuple[int, Any]:
    return 400, {"error": {"type": kind, "reason": reason, "root_cause": [{"reason": reason}]}, "status": 400}


def _body(path: str, sent: bytes) -> Any:
    if "/chunk/" in path:
        return sent
    return [json.loads(line) for line in sent.splitlines()] if "_bulk" in path else json.loads(sent or b"{}")


def _handler(server: FakeOpenSearch) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            wanted = "Basic " + base64.b64encode(f"admin:{server.password}".encode()).decode()
            if server.password and self.headers.get("Authorization") != wanted:
                return self._send(401, "Unauthorized")
            address = urlsplit(self.path)
            body = _body(self.path, sent)
            try:
                self._send(*server.answer(self.command, address.path, parse_qs(address.query), body))
            except ConnectionResetError:
                self.close_connection = True
                self.connection.close()

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

        def _send(self, status: int, answer: Any) -> None:
            content = answer.encode() if status == 401 else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if status == 401 else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output quiet."""

    return Handler
