"""The embedded vLLM, with a stand-in for its interpreter that says what it was started with."""

import json
import os
import sys
import urllib.request

import pytest

from kosparse.errors import ServiceError
from kosparse.services import vllm
from kosparse.services.vllm import VllmServer, best_dtype, can_run

STAND_IN = """
import http.server, json, os, sys
seen = {"argv": sys.argv, "key": os.environ["VLLM_API_KEY"], "bind": os.environ["VLLM_CPU_OMP_THREADS_BIND"]}
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer((sys.argv[sys.argv.index("--host") + 1], port), Health).serve_forever()
"""


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """Where the stand-in lies; a test may write another one."""
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path / "stand_in.py"} "$@"\n')
    path.chmod(0o755)
    monkeypatch.setattr(vllm, "PYTHON", path)
    return path


def model_folder(tmp_path):
    folder = tmp_path / "tiny-korean"
    folder.mkdir()
    (folder / "kosparse.json").write_text(json.dumps({"sha256": "0123456789abcdef"}))
    return str(folder)


def test_it_serves_on_loopback_and_the_key_is_no_argument(interpreter, tmp_path):
    server = VllmServer(tmp_path / "run", model_folder(tmp_path), max_model_length=512, dtype="float32")
    server.start(timeout=20)
    try:
        environment = server.environment
        with urllib.request.urlopen(environment["LLM_BASE_URL"].removesuffix("/v1") + "/health") as response:
            seen = json.load(response)
    finally:
        assert server.stop() is True

    assert seen["key"] == environment["LLM_API_KEY"] and len(seen["key"]) >= 32
    assert seen["key"] not in " ".join(seen["argv"])
    assert seen["argv"][seen["argv"].index("--host") + 1] == "127.0.0.1"
    assert seen["argv"][seen["argv"].index("--max-model-len") + 1] == "512"
    assert seen["bind"] == "nobind"


def test_a_step_learns_what_is_served_and_how_to_stop_it(interpreter, tmp_path):
    server = VllmServer(tmp_path / "run", model_folder(tmp_path), max_model_length=512, dtype="bfloat16")
    server.start(timeout=20)
    environment = server.environment

    assert environment["LLM_MODEL"] == "tiny-korean"
    assert (environment["LLM_QUANTIZATION"], environment["LLM_REVISION"]) == ("bf16", "0123456789ab")
    assert float(environment["LLM_TIMEOUT"]) > 600  # a processor is slow for many at once
    assert os.path.exists(environment[vllm.STATE])
    assert server.stop() is True
    assert server.stop() is False
    assert not os.path.exists(environment[vllm.STATE])


def test_a_server_that_dies_while_loading_shows_its_last_words(interpreter, tmp_path):
    (tmp_path / "stand_in.py").write_text("raise SystemExit('RuntimeError: no such architecture')")
    with pytest.raises(ServiceError, match="no such architecture"):
        VllmServer(tmp_path / "run", "hub/id", max_model_length=512).start(timeout=20)


@pytest.mark.parametrize(
    ("flags", "free", "able", "word"),
    [
        ({"avx2", "avx512_bf16"}, 8e9, True, ""),
        ({"avx2"}, 8e9, False, "needs 11"),
        ({"avx2"}, 12e9, True, ""),
        ({"sse4_2"}, 64e9, False, "AVX2"),
    ],
)
def test_what_it_takes_to_run(interpreter, monkeypatch, flags, free, able, word):
    monkeypatch.setattr(vllm, "_cpu_flags", lambda: flags)
    monkeypatch.setattr(vllm.psutil, "virtual_memory", lambda: type("Memory", (), {"available": free}))
    found, reason = can_run()
    assert found is able and word in reason


def test_without_its_environment_it_cannot_run(monkeypatch, tmp_path):
    monkeypatch.setattr(vllm, "PYTHON", tmp_path / "nowhere")
    assert can_run() == (False, "vLLM is not installed (make setup)")
    with pytest.raises(ServiceError, match="vLLM is not installed"):
        VllmServer(tmp_path, "hub/id", max_model_length=512).start()


def test_bf16_only_where_the_processor_computes_in_it(monkeypatch):
    monkeypatch.setattr(vllm, "_cpu_flags", lambda: {"avx2", "amx_bf16"})
    assert best_dtype() == "bfloat16"
    monkeypatch.setattr(vllm, "_cpu_flags", lambda: {"avx2", "avx512f"})
    assert best_dtype() == "float32"
