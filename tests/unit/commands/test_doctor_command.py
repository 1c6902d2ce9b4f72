import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from kosparse import cli
from kosparse.adapters.store_s3 import buckets_of
from kosparse.commands import doctor
from kosparse.commands.doctor import examine
from kosparse.errors import ConfigError
from kosparse.settings import settings
from tests.fakes.opensearch_server import FakeOpenSearch


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """A machine on which nothing is set."""
    for name in ("S3_ENDPOINT", "AWS_ACCESS_KEY_ID", "MLFLOW_TRACKING_URI", "LLM_BASE_URL", "LLM_MODEL", "LLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("OPENSEARCH_URL", raising=False)
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path / "cache"))
    python = tmp_path / "python"
    python.touch()
    monkeypatch.setenv("MLFLOW_PYTHON", str(python))
    monkeypatch.setattr(doctor, "_TOTAL_DISK_GB", 0.0)


def found(name):
    return [check for check in examine(settings()) if check.name == name]


def test_every_part_is_looked_at_and_what_is_missing_has_something_to_do(capsys):
    assert cli.main(["doctor", "--json"]) == 0
    checks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = {check["name"] for check in checks}
    assert names >= {"python", "packages", "processor", "memory", "GPU", "disk", "model", "S3", "MLflow", "LLM"}
    assert all(check["fix"] for check in checks if check["state"] != "ok")


def test_models_that_are_not_fetched_are_named_with_their_size():
    first = found("model")[0]
    assert first.state == "warn" and "kosparse models multilingual-e5-small" in first.fix and "MB" in first.fix


def test_a_service_that_is_named_must_answer(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:9/v1")
    assert cli.main(["doctor"]) == 3
    printed = capsys.readouterr()
    assert "FAIL  MLflow" in printed.out and "FAIL  LLM" in printed.out
    assert "not ready for a run: MLflow, LLM" in printed.err


def _mlflow(version):
    """An MLflow that says how old it is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = version.encode() if self.path == "/version" else b"{}"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *given):
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.mark.parametrize(
    ("version", "state", "words"), [("2.22.0", "fail", "MLflow 2.22.0"), ("3.6.0", "ok", "answers")]
)
def test_an_mlflow_that_is_too_old_is_told_with_what_to_do(monkeypatch, version, state, words):
    with _mlflow(version) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        (check,) = found("MLflow")
        server.shutdown()
    assert check.state == state and words in check.found and ("upgrade it" in check.fix) == (state == "fail")


@pytest.mark.parametrize(
    ("version", "state", "words"), [("3.1.0", "ok", "is OpenSearch 3.1.0"), ("2.11.0", "fail", "OpenSearch 2.11.0")]
)
def test_a_cluster_that_is_named_must_be_new_enough(monkeypatch, version, state, words):
    assert found("OpenSearch") == []  # a run needs none
    with FakeOpenSearch(version=version) as cluster:
        monkeypatch.setenv("OPENSEARCH_URL", cluster.url)
        (check,) = found("OpenSearch")
    assert check.state == state and words in check.found and ("2.15 or newer" in check.fix) == (state == "fail")


def test_a_store_without_credentials_is_told_apart(monkeypatch):
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9")
    (check,) = found("S3")
    assert check.state == "fail" and "without credentials" in check.found and "AWS_ACCESS_KEY_ID" in check.fix


def test_a_full_disk_ends_with_the_status_of_resources(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_TOTAL_DISK_GB", 1e9)
    assert cli.main(["doctor"]) == 4
    assert "1000000000 GB are needed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "model", "state", "words"),
    [
        (httpx.Response(200, json={"data": [{"id": "m"}]}), "m", "ok", "serves m"),
        (httpx.Response(200, json={"data": [{"id": "m"}]}), "other", "fail", "does not serve other"),
        (httpx.Response(401), "", "fail", "answers 401"),
        (httpx.Response(200, text="<html>"), "", "fail", "no OpenAI-compatible server"),
    ],
)
def test_the_language_model_is_asked_what_it_serves(monkeypatch, answer, model, state, words):
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:8000/v1")
    monkeypatch.setenv("LLM_MODEL", model)
    monkeypatch.setattr(httpx, "get", lambda *given, **more: answer)
    (check,) = found("LLM")
    assert check.state == state and words in check.found


def test_a_language_model_outside_is_named_before_anything_is_sent(monkeypatch):
    monkeypatch.setenv("LLM_BASE_URL", "https://api.openai.com/v1")
    monkeypatch.setattr(httpx, "get", lambda *given, **more: httpx.Response(200, json={"data": [{"id": "m"}]}))
    outside, answers = found("LLM")
    assert (outside.state, answers.state) == ("warn", "ok") and "allow_external" in outside.fix


@pytest.mark.parametrize(
    ("answers", "checkpoints", "buckets"),
    [(None, None, ["mlpipeline"]), ("s3://mine/a", "s3://ours", ["locks", "mine", "ours"]), ("", "", ["locks"])],
)
def test_only_the_buckets_that_are_named_are_asked_for(monkeypatch, answers, checkpoints, buckets):
    for name, value in (("KOSPARSE_LLM_CACHE", answers), ("KOSPARSE_CHECKPOINTS", checkpoints)):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    if answers is not None:
        monkeypatch.setenv("KOSPARSE_LOCKS", "s3://locks/here")
    assert buckets_of(settings()) == buckets


def test_a_store_is_asked_also_where_no_bucket_is_named(monkeypatch):
    for name in ("KOSPARSE_LLM_CACHE", "KOSPARSE_CHECKPOINTS", "KOSPARSE_LOCKS"):
        monkeypatch.setenv(name, "")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "key")
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9")
    assert [check.state for check in found("S3")] == ["fail"]


def test_an_address_that_is_none_is_named_with_its_setting(monkeypatch):
    monkeypatch.setenv("KOSPARSE_CHECKPOINTS", "/mnt/checkpoints")
    with pytest.raises(ConfigError, match="(?s)'/mnt/checkpoints'.*KOSPARSE_CHECKPOINTS"):
        buckets_of(settings())
