"""An HTTP server that speaks as much of the Kubernetes API as steps ask: objects, pods, logs.

Objects that are created are read with the check's types: a field that is not known is refused, as strict
validation does.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes import client

from k8s.check import typed
from kosparse.adapters import kubernetes_api


class FakeKubernetes:
    """A namespace ``team`` on a free loopback port; a context manager.

    ``objects`` by path, ``pods`` with their ``log`` by name; while ``forbidden`` everything is refused, and statuses of
    ``failing`` answer the next requests. ``created`` is called with every new object.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.pods: list[dict[str, Any]] = []
        self.logs: dict[str, bytes] = {}
        self.failing: list[int] = []
        self.forbidden = False
        self.deleted: list[str] = []
        self.created: Callable[[dict[str, Any]], None] = lambda body: None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> FakeKubernetes:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        address = client.Configuration(host=f"http://127.0.0.1:{self._http.server_port}")
        address.retries = False
        self._patch.setattr(kubernetes_api, "api", lambda: client.ApiClient(address))
        self._patch.setenv("POD_NAMESPACE", "team")
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()
        self._http.shutdown()
        self._http.server_close()

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Objects of a kind, as they are now."""
        return [body for body in self.objects.values() if body.get("kind") == kind]


def pod(name: str, labels: dict[str, str], phase: str = "Running", **waiting: str) -> dict[str, Any]:
    """A pod of one container that runs, or waits for a reason."""
    state = {"waiting": waiting} if waiting else {"running": {}}
    status = {"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state}
    return {"metadata": {"name": name, "labels": labels}, "status": {"phase": phase, "containerStatuses": [status]}}


def _selected(items: list[dict[str, Any]], query: str) -> list[dict[str, Any]]:
    wanted = dict(each.split("=") for each in parse_qs(query).get("labelSelector", []))
    return [item for item in items if wanted.items() <= (item["metadata"].get("labels") or {}).items()]


def _handler(fake: FakeKubernetes) -> type[BaseHTTPRequestHandler]:
    pods = "/api/v1/namespaces/team/pods"

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if self._fails():
                return
            if url.path.endswith("/log"):
                self._send(200, fake.logs.get(url.path.split("/")[-2], b""))
            elif url.path == pods:
                self._send(200, {"items": _selected(fake.pods, url.query)})
            elif url.path in fake.objects:
                self._send(200, fake.objects[url.path])
            elif "labelSelector" in url.query:
                found = [body for path, body in fake.objects.items() if path.rpartition("/")[0] == url.path]
                self._send(200, {"items": _selected(found, url.query)})
            else:
                self._send(404, {"message": f"{url.path} not found"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = f"{self.path}/{body['metadata']['name']}"
            if self._fails():
                return
            if wrong := typed.check([body]):
                self._send(422, {"message": str(wrong[0])})
            elif path in fake.objects:
                self._send(409, {"message": "already exists"})
            else:
                fake.objects[path] = body
                fake.created(body)
                self._send(201, body)

        def do_DELETE(self) -> None:
            path = urlsplit(self.path).path
            if self._fails():
                return
            found = fake.objects.pop(path, None)
            fake.deleted += [path.rpartition("/")[2]] if found else []
            self._send(200 if found else 404, {"kind": "Status", "apiVersion": "v1"})

        def _fails(self) -> bool:
            status = 403 if fake.forbidden else fake.failing.pop(0) if fake.failing else 0
            if status:
                self._send(status, {"message": "planted"})
            return bool(status)

        def _send(self, status: int, body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(body, bytes) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
