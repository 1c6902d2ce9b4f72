"""The REST client against a server that is no MLflow, or guards itself."""

import base64
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kosparse.adapters.mlflow_rest import MlflowRest, Refused, shown
from kosparse.adapters.review_mlflow import MlflowReview
from kosparse.adapters.tracking_mlflow import MlflowTracker
from kosparse.errors import ServiceError


class Handler(BaseHTTPRequestHandler):
    """Answers what the test wants, and remembers the credentials it was shown."""

    status, body, seen = 200, b"{}", None

    def do_GET(self):
        type(self).seen = self.headers.get("Authorization")
        healthy = self.path.endswith("/health")
        self.send_response(200 if healthy else self.status)
        self.end_headers()
        self.wfile.write(b"OK" if healthy else self.body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def log_message(self, *_):
        """Keep the test's output quiet."""


@pytest.fixture
def address(monkeypatch):
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _answer(monkeypatch, status, body):
    monkeypatch.setattr(Handler, "status", status)
    monkeypatch.setattr(Handler, "body", body)


def test_an_answer_is_an_object(address, monkeypatch):
    _answer(monkeypatch, 200, b'{"run": {"info": {}}}')
    assert MlflowRest(f"http://{address}").get("runs/get", run_id="1") == {"run": {"info": {}}}


def test_an_error_carries_the_servers_code(address, monkeypatch):
    _answer(monkeypatch, 404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run"}')
    with pytest.raises(Refused, match="no run") as caught:
        MlflowRest(f"http://{address}").get("runs/get", run_id="1")
    assert caught.value.code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"[]", b""])
def test_a_server_that_is_no_mlflow_is_told_apart(address, monkeypatch, body):
    _answer(monkeypatch, 200, body)
    with pytest.raises(ServiceError, match="does not answer or refuses"):
        MlflowRest(f"http://{address}").get("runs/get", run_id="1")


def test_a_server_too_old_to_register_with_is_told_with_its_version(address, monkeypatch):
    _answer(monkeypatch, 200, b"2.22.1")
    with pytest.raises(ServiceError, match=r"the tracking server is MLflow 2\.22\.1") as caught:
        MlflowTracker(f"http://{address}")
    assert "3.0 or newer" in caught.value.fix


@pytest.mark.parametrize("body", [b"3.17.2", b"3.0.0rc1", b"<html>404</html>"])
def test_a_newer_server_and_one_that_does_not_say_pass(address, monkeypatch, body):
    _answer(monkeypatch, 200, body)
    MlflowTracker(f"http://{address}")


def test_a_call_that_an_older_server_does_not_know_is_named_with_its_answer(address, monkeypatch):
    _answer(monkeypatch, 404, b"<title>404 Not Found</title>")
    with pytest.raises(ServiceError, match="registered-models/alias answered 404, and no JSON object"):
        MlflowReview(f"http://{address}", "kosparse").set_alias("champion", "1")


def test_a_server_that_lets_us_read_only_is_told_by_its_reason(address, monkeypatch):
    _answer(monkeypatch, 403, b'{"error_code": "PERMISSION_DENIED", "message": "you may read"}')
    for write in (
        lambda: MlflowTracker(f"http://{address}").start_run("r", "r", {}),
        lambda: MlflowReview(f"http://{address}", "kosparse").set_alias("champion", "1"),
        lambda: MlflowReview(f"http://{address}", "kosparse").lock().__enter__(),
    ):
        with pytest.raises(ServiceError, match="PERMISSION_DENIED: you may read") as caught:
            write()
        assert "credentials" in caught.value.fix


def test_credentials_come_from_the_address_or_the_environment(address, monkeypatch):
    expected = "Basic " + base64.b64encode(b"user:secret").decode()
    MlflowRest(f"http://user:secret@{address}").get("runs/get")
    assert Handler.seen == expected
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "user")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    MlflowRest(f"http://{address}").get("runs/get")
    assert Handler.seen == expected


def test_a_token_is_sent_as_bearer(address, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    MlflowRest(f"http://{address}").get("runs/get")
    assert Handler.seen == "Bearer abc"


def test_a_password_is_never_shown():
    assert shown("http://user:secret@host:5000") == "http://host:5000"
