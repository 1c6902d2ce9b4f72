"""An HTTP server that speaks as much of the Kubeflow Pipelines v2 API as submitting takes.

Bodies are read with the models the real client is generated with: a field the API does not know is refused.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api


class FakeKfpServer:
    """A server on a free loopback port; a context manager.

    Args:
        token: Wanted as bearer token; empty takes any.
        cookie: Wanted as cookie; empty takes any.
        multi_user: Whether it has many users' namespaces; then only ``namespaces`` may be used.
        namespaces: Those that exist.
        version: What it calls itself.
        login_page: It answers everything with a web page.
        states: What a run's state is at each look; the last one stays.
    """

    def __init__(
        self,
        *,
        token: str = "",
        cookie: str = "",
        multi_user: bool = False,
        namespaces: tuple[str, ...] = (),
        version: str = "2.14.0",
        login_page: bool = False,
        states: tuple[str | int, ...] = ("RUNNING", "SUCCEEDED"),
    ) -> None:
        self.token, self.cookie, self.multi_user, self.namespaces = token, cookie, multi_user, namespaces
        self.version, self.login_page, self.states = version, login_page, list(states)
        self.pipelines: list[dict[str, Any]] = []
        self.versions: list[dict[str, Any]] = []
        self.packages: list[bytes] = []
        self.experiments: list[dict[str, Any]] = []
        self.runs: list[kfp_server_api.V2beta1Run] = []
        self.recurring: list[kfp_server_api.V2beta1RecurringRun] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> FakeKfpServer:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def run_seen(self) -> dict[str, Any] | int:
        """The run as it is at this look, or the status of an answer that fails."""
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, int):
            return state
        task = {"task_id": "t1", "display_name": "ingest_corpus", "state": state}
        return {"run_id": "run-1", "state": state, "run_details": {"task_details": [task]}}


def read_strictly(body: dict[str, Any], model: str) -> Any:
    """The body as one of the client's models.

    Raises:
        ValueError: It has a field the model does not have.
    """
    kind = getattr(kfp_server_api, model)
    unknown = set(body) - set(kind.attribute_map.values())
    if unknown:
        raise ValueError(f"{model} has no {sorted(unknown)}")
    return kfp_server_api.ApiClient()._ApiClient__deserialize(body, model)


def _handler(fake: FakeKfpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            if not self._allowed():
                return
            url = urlsplit(self.path)
            path = url.path.removeprefix("/apis/v2beta1/")
            if path == "healthz":
                self._send(200, {"tag_name": fake.version, "multi_user": fake.multi_user})
            elif path == "pipelines":
                self._send(200, {"pipelines": fake.pipelines})
            elif path.startswith("pipelines/") and path.endswith("/versions"):
                self._send(200, {"pipeline_versions": fake.versions})
            elif path == "experiments":
                self._send(200, {"experiments": fake.experiments})
            elif path == "runs/run-1":
                seen = fake.run_seen()
                self._send(*((seen, {"error": "planted"}) if isinstance(seen, int) else (200, seen)))
            else:
                self._send(404, {"error": f"no {path}"})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self._allowed():
                return
            url = urlsplit(self.path)
            path, query = url.path.removeprefix("/apis/v2beta1/"), parse_qs(url.query)
            try:
                self._send(200, self._made(path, query, body))
            except PermissionError as error:
                self._send(403, {"error": str(error)})
            except (ValueError, KeyError) as error:
                self._send(400, {"error": str(error)})

        def _made(self, path: str, query: dict[str, list[str]], body: bytes) -> dict[str, Any]:
            if path == "pipelines/upload":
                fake.packages.append(body)
                fake.pipelines.append({"pipeline_id": "pipeline-1", "display_name": query["name"][0]})
                return fake.pipelines[-1]
            if path == "pipelines/upload_version":
                fake.packages.append(body)
                named = {"pipeline_id": query["pipelineid"][0], "display_name": query["name"][0]}
                fake.versions.append({**named, "pipeline_version_id": f"version-{len(fake.versions) + 1}"})
                return fake.versions[-1]
            sent = json.loads(body)
            if path == "experiments":
                made = read_strictly(sent, "V2beta1Experiment")
                if fake.multi_user and made.namespace not in fake.namespaces:
                    raise PermissionError(f"user is not authorized in {made.namespace}")
                fake.experiments.append({**sent, "experiment_id": f"experiment-{len(fake.experiments) + 1}"})
                return fake.experiments[-1]
            if path == "runs":
                fake.runs.append(read_strictly(sent, "V2beta1Run"))
                return {**sent, "run_id": "run-1"}
            if path == "recurringruns":
                fake.recurring.append(read_strictly(sent, "V2beta1RecurringRun"))
                return {**sent, "recurring_run_id": "recurring-1"}
            raise KeyError(path)

        def _allowed(self) -> bool:
            if fake.login_page:
                self._send(200, "<html>Sign in</html>", "text/html")
                return False
            token = not fake.token or self.headers.get("Authorization") == f"Bearer {fake.token}"
            cookie = not fake.cookie or self.headers.get("Cookie") == fake.cookie
            if not (token and cookie):
                self._send(401, {"error": "unauthenticated"})
            return token and cookie

        def _send(self, status: int, body: Any, kind: str = "application/json") -> None:
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
