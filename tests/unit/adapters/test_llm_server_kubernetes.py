"""The cluster's server, against a stand-in for the Kubernetes API that keeps objects and refuses."""

import http.server
import json
import threading

import pytest
from kubernetes import client

from kosparse.adapters import llm_server_kubernetes
from kosparse.adapters.llm_server_kubernetes import KubernetesLlmServer
from kosparse.config import ServeLlmConfig
from kosparse.errors import ConfigError, ServiceError

CONFIG = ServeLlmConfig(model="openai/gpt-oss-20b")


class KubernetesApi(http.server.BaseHTTPRequestHandler):
    """Creates, refuses doubles with 409, deletes, and knows nothing else."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = f"{self.path}/{body['metadata']['name']}"
        if self.server.forbidden:
            self._answer(403, {"reason": "Forbidden"})
        elif path in self.server.objects:
            self._answer(409, {"reason": "AlreadyExists"})
        else:
            self.server.objects[path] = body
            self._answer(201, body)

    def do_DELETE(self):
        found = self.server.objects.pop(self.path.partition("?")[0], None)
        self._answer(200 if found else 404, {"kind": "Status", "apiVersion": "v1"})

    def _answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def api(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), KubernetesApi)
    server.objects, server.forbidden = {}, False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    address = client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(llm_server_kubernetes, "_api", lambda: client.ApiClient(address))
    monkeypatch.setenv("POD_NAMESPACE", "team")
    yield server
    server.shutdown()
    server.server_close()


def open_server(config=CONFIG):
    return KubernetesLlmServer(config, "Run_7", image="kosparse-vllm:1", api_key="k")


def test_job_and_service_are_created_once(api):
    endpoint = open_server().start()
    assert open_server().start() == endpoint

    assert endpoint.base_url == "http://kosparse-llm-run-7.team.svc:8000/v1"
    assert sorted(api.objects) == [
        "/api/v1/namespaces/team/services/kosparse-llm-run-7",
        "/apis/batch/v1/namespaces/team/jobs/kosparse-llm-run-7",
    ]


def test_both_are_deleted_and_a_second_time_there_is_nothing_to_do(api):
    open_server().start()

    assert open_server().stop() is True
    assert api.objects == {}
    assert open_server().stop() is False


def test_missing_rights_are_named(api):
    api.forbidden = True
    with pytest.raises(ServiceError, match="did not create Job: 403") as error:
        open_server().start()

    assert "namespace team" in error.value.where and "ServiceAccount" in error.value.fix


def test_a_packaged_model_is_not_for_clusters(api):
    with pytest.raises(ConfigError, match="packaged models are for one machine"):
        open_server(ServeLlmConfig()).start()

    assert api.objects == {}
