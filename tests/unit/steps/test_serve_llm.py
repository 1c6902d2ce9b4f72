"""``serve_llm`` finds out early what is wrong with a language model server."""

import http.server
import json
import threading

import pytest

from kosparse.errors import ConfigError, ServiceError
from kosparse.ports import LlmEndpoint
from kosparse.steps import release_llm, serve_llm, stop_llm
from tests.fakes.llm_server import FakeLlmServer

MODEL = "fake-korean-llm"


@pytest.fixture
def served(monkeypatch):
    for name in ("KOSPARSE_LLM_STATE", "LLM_BACKEND", "KUBERNETES_SERVICE_HOST", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    with FakeLlmServer(api_key="key") as server:
        monkeypatch.setenv("LLM_BASE_URL", server.base_url)
        monkeypatch.setenv("LLM_MODEL", MODEL)
        monkeypatch.setenv("LLM_API_KEY", "key")
        yield server


def test_it_writes_what_the_model_is_and_not_where(served, tmp_path):
    serve_llm.run(config={}, llm=tmp_path / "llm")

    found = json.loads((tmp_path / "llm").read_text())
    assert found["model"] == MODEL and found["structured_output"] is True and found["max_model_length"] == 4096
    assert "127.0.0.1" not in (tmp_path / "llm").read_text() and "key" not in (tmp_path / "llm").read_text()


def test_a_wrong_key_is_said_to_be_one(served, tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_API_KEY", "wrong")
    with pytest.raises(ServiceError, match="refuses the key"):
        serve_llm.run(config={}, llm=tmp_path / "llm")


def test_a_wrong_model_name_lists_what_is_served(served, tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_MODEL", "gpt-oss-20b")
    with pytest.raises(ServiceError, match=f"it serves {MODEL}"):
        serve_llm.run(config={}, llm=tmp_path / "llm")


def test_too_short_a_context_is_refused(served, tmp_path):
    with pytest.raises(ServiceError, match="4096 tokens, 8192"):
        serve_llm.run(config={"max_model_length": 8192}, llm=tmp_path / "llm")


def test_a_silent_server_is_given_up(served, tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ServiceError, match="does not answer"):
        serve_llm.run(config={"ready_timeout_seconds": 0.1}, llm=tmp_path / "llm")


def test_a_web_page_is_no_language_model(served, tmp_path, monkeypatch):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *_):
            pass

    page = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    monkeypatch.setenv("LLM_BASE_URL", f"http://127.0.0.1:{page.server_port}")
    with pytest.raises(ServiceError, match="no OpenAI-compatible server"):
        serve_llm.run(config={}, llm=tmp_path / "llm")
    page.shutdown()


def test_text_leaves_only_by_consent(served, tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_BASE_URL", "https://api.example.com/v1")
    with pytest.raises(ConfigError, match="would be sent") as error:
        serve_llm.run(config={}, llm=tmp_path / "llm")

    assert "allow_external=true" in error.value.fix


def test_no_server_at_all_says_what_to_set(tmp_path, monkeypatch):
    for name in ("LLM_BASE_URL", "LLM_BACKEND", "KUBERNETES_SERVICE_HOST", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="no language model server"):
        serve_llm.run(config={}, llm=tmp_path / "llm")


class StartedServer:
    """A server of ours at the fake's address, with a log."""

    def __init__(self, endpoint, log):
        self.endpoint, self.text, self.running = endpoint, log, True

    def start(self):
        return self.endpoint

    def check(self):
        pass

    def log(self):
        return self.text

    def stop(self):
        was, self.running = self.running, False
        return was


@pytest.fixture
def started(served, monkeypatch):
    """What serve_llm starts where no address is given."""
    log = "Initializing a V1 LLM engine with config: dtype=torch.bfloat16, quantization=None,\n"
    server = StartedServer(LlmEndpoint(served.base_url, MODEL, "key"), log + "Model loading took 3.00 GiB memory")
    monkeypatch.delenv("LLM_BASE_URL")
    monkeypatch.delenv("LLM_MODEL")
    monkeypatch.setattr(serve_llm, "open_server", lambda config, current: server)
    return server


def test_a_started_servers_precision_is_the_one_its_log_tells(started, tmp_path):
    serve_llm.run(config={"quantization": "bf16"}, llm=tmp_path / "llm")
    found = json.loads((tmp_path / "llm").read_text())
    assert (found["quantization"], found["weights_gb_per_gpu"]) == ("bf16", 3.22)  # 3 x 1.0737


def test_a_started_server_at_another_precision_is_an_error(started, tmp_path):
    with pytest.raises(ServiceError, match="in bf16, int8 was asked for"):
        serve_llm.run(config={"quantization": "int8"}, llm=tmp_path / "llm")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ("amd.com/gpu", "team-llm")),
        ({"gpu_type": "nvidia.com/mig-3g.40gb", "key_secret": "own"}, ("nvidia.com/mig-3g.40gb", "own")),
    ],
    ids=["what the run has", "what its settings name"],
)
def test_a_servers_gpus_and_key_are(config, expected, started, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(serve_llm, "open_server", lambda config, current: asked.append(config) or started)
    serve_llm.run(config=config, gpu_type="amd.com/gpu", llm_secret="team-llm", llm=tmp_path / "llm")
    assert [(one.gpu_type, one.key_secret) for one in asked] == [expected]


def test_release_and_stop_are_one_and_the_second_finds_nothing(started, tmp_path):
    assert release_llm.run(config={}, released=tmp_path / "a") == {"stopped": 1.0}
    assert stop_llm.run(config={}, stopped=tmp_path / "b") == {"stopped": 0.0}
    assert json.loads((tmp_path / "b").read_text()) == {"stopped": False}


def test_a_given_server_of_unknown_precision_is_recorded_as_such(served, tmp_path, monkeypatch):
    monkeypatch.delenv("LLM_QUANTIZATION", raising=False)
    serve_llm.run(config={}, llm=tmp_path / "llm")
    assert json.loads((tmp_path / "llm").read_text())["quantization"] == "unknown"


def test_release_and_stop_leave_a_given_server_alone(served, tmp_path):
    assert release_llm.run(config={}, released=tmp_path / "a") == {"stopped": 0.0}
    assert stop_llm.run(config={}, stopped=tmp_path / "b") == {"stopped": 0.0}
    assert served.next_failure() is None  # it still answers
