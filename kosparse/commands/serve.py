"""``kosparse serve``: a search page on this machine over a finished run. Nothing but the standard library serves it."""

from __future__ import annotations

import json
import threading
import webbrowser
from abc import ABC, abstractmethod
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from kosparse.errors import ServiceError

LONGEST_QUERY, MOST_RESULTS = 500, 50
_PAGE = Path(__file__).parent / "templates" / "serve.html"
_HOSTS = ("127.0.0.1", "localhost")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Searcher(Protocol):
    """What answers a query."""

    def search(self, query: str, k: int) -> dict[str, Any]:
        """See ``SideBySide.search``."""
        ...


def serve(run: Path, port: int, *, open_browser: bool) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        InputError: The run is not a finished one.
        ServiceError: The port is taken.
    """
    from kosparse.commands.side_by_side import SideBySide

    searcher = SideBySide(run)
    with make_server(searcher, port) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        print(f"{address}  {len(searcher):,} documents of {run}; Ctrl-C ends it", flush=True)
        if open_browser:
            webbrowser.open(address)
        server.serve_forever()


def make_server(searcher: Searcher, port: int) -> ThreadingHTTPServer:
    """A server on loopback; port 0 takes any that is free.

    Raises:
        ServiceError: The port is taken.
    """
    # Encoder and analyzer are not made for two threads at once.
    lock = threading.Lock()

    class Bound(_Handler):
        def answer(self, query: str, k: int) -> dict[str, Any]:
            with lock:
                return searcher.search(query, k)

    try:
        return ThreadingHTTPServer(("127.0.0.1", port), Bound)
    except OSError as error:
        fix = "Choose another: --port 0 takes any that is free."
        raise ServiceError(f"cannot listen: {error.strerror}", where=f"port {port}", fix=fix) from error


class _Handler(BaseHTTPRequestHandler, ABC):
    server_version, sys_version = "kosparse", ""

    @abstractmethod
    def answer(self, query: str, k: int) -> dict[str, Any]:
        """See ``Searcher.search``."""

    def do_GET(self) -> None:
        """The page, or the answer to a query."""
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in _HOSTS:
            # A page elsewhere whose name was made to point here must not read the collection.
            self._send(HTTPStatus.FORBIDDEN, "text/plain", b"open http://127.0.0.1 instead\n")
            return
        url = urlsplit(self.path)
        if url.path == "/":
            self._send(HTTPStatus.OK, "text/html", _PAGE.read_bytes())
        elif url.path == "/search":
            self._search({name: values[-1] for name, values in parse_qs(url.query).items()})
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"not here\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what people search for is nobody's business."""

    def _search(self, given: dict[str, str]) -> None:
        query, k = given.get("q", "").strip(), given.get("k", "10")
        if not query or len(query) > LONGEST_QUERY or not k.isdecimal() or not 1 <= int(k) <= MOST_RESULTS:
            wanted = f"q: 1 to {LONGEST_QUERY} characters; k: 1 to {MOST_RESULTS}"
            self._json(HTTPStatus.BAD_REQUEST, {"error": wanted})
            return
        self._json(HTTPStatus.OK, self.answer(query, int(k)))

    def _json(self, status: HTTPStatus, value: Any) -> None:
        self._send(status, "application/json", json.dumps(value, ensure_ascii=False).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": f"{kind}; charset=utf-8"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
