"""The cluster's server, against a stand-in for the Kubernetes API that keeps objects and refuses."""

import http.server
import json
import socket
import threading

import pytest
from kubernetes import client

from kosparse.adapters import llm_server_kubernetes
from kosparse.adapters.llm_server_kubernetes import KubernetesLlmServer
from kosparse.config import ServeLlmConfig
from kosparse.errors import ConfigError, ServiceError

CONFIG = ServeLlmConfig(model="openai/gpt-oss-20b", quantization="mxfp4")
NAMESPACE = "/api/v1/namespaces/team"
JOB = "/apis/batch/v1/namespaces/team/jobs/kosparse-llm-run-7"
SERVICE = f"{NAMESPACE}/services/kosparse-llm-run-7"


class KubernetesApi(http.server.BaseHTTPRequestHandler):
    """Creates, shows, refuses doubles with 409, deletes; lists the pods and logs it was given."""

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if self.server.forbidden:
            self._answer(403, {"reason": "Forbidden"})
        elif path.endswith("/log"):
            self._answer(200, self.server.log)
        elif path == f"{NAMESPACE}/pods":
            assert "labelSelector=kosparse%2Frun%3Dkosparse-llm-run-7" in query
            self._answer(200, {"items": self.server.pods})
        elif path in self.server.objects:
            self._answer(200, self.server.objects[path])
        else:
            self._answer(404, {"reason": "NotFound"})

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
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(body, bytes) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def api(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), KubernetesApi)
    server.objects, server.forbidden, server.pods, server.log = {}, False, [], b""
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    address = client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(llm_server_kubernetes, "_api", lambda: client.ApiClient(address))
    monkeypatch.setenv("POD_NAMESPACE", "team")
    yield server
    server.shutdown()
    server.server_close()


def open_server(config=CONFIG):
    return KubernetesLlmServer(config, "Run_7", image="kosparse-vllm:1", api_key="k")


def pod(**waiting):
    state = {"waiting": waiting} if waiting else {"running": {}}
    status = {"name": "vllm", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state}
    return {"metadata": {"name": "server-1"}, "status": {"containerStatuses": [status]}}


def fail_the_job(api):
    api.objects[JOB]["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}


def test_job_and_service_are_created_once(api):
    endpoint = open_server().start()
    assert open_server().start() == endpoint

    assert (endpoint.base_url, endpoint.model) == ("http://kosparse-llm-run-7:8000/v1", "openai/gpt-oss-20b")
    assert sorted(api.objects) == [SERVICE, JOB]


def test_they_go_when_the_runs_workflow_goes(api):
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "kosparse-x1", "uid": "u-1"}
    me = {"metadata": {"name": "me", "ownerReferences": [{**owner, "controller": True}]}}
    api.objects[f"{NAMESPACE}/pods/{socket.gethostname()}"] = me
    open_server().start()

    for path in (JOB, SERVICE):
        [found] = api.objects[path]["metadata"]["ownerReferences"]
        assert owner.items() <= found.items()


def test_a_server_that_has_ended_is_replaced(api):
    open_server().start()
    fail_the_job(api)
    open_server().start()
    assert "status" not in api.objects[JOB]


def test_both_are_deleted_and_a_second_time_there_is_nothing_to_do(api):
    open_server().start()

    assert open_server().stop() is True
    assert api.objects == {}
    assert open_server().stop() is False


def test_a_server_that_comes_up_is_waited_for(api):
    open_server().start()
    open_server().check()
    api.pods = [pod(reason="ContainerCreating"), pod()]
    open_server().check()


def test_a_server_that_has_ended_shows_its_last_words(api):
    open_server().start()
    fail_the_job(api)
    api.pods, api.log = [pod()], "torch.OutOfMemoryError: 메모리".encode()
    with pytest.raises(ServiceError, match="OutOfMemoryError: 메모리") as error:
        open_server().check()
    assert "kosparse-llm-run-7" in error.value.where


def test_an_image_that_cannot_be_pulled_is_not_waited_for(api):
    open_server().start()
    api.pods = [pod(reason="ImagePullBackOff", message="kosparse-vllm:1 not found")]
    with pytest.raises(ServiceError, match="ImagePullBackOff: kosparse-vllm:1 not found"):
        open_server().check()


def test_the_log_is_the_pods(api):
    assert open_server().log() == ""
    api.pods, api.log = [pod()], b"Model loading took 12.8 GiB"
    assert open_server().log() == "Model loading took 12.8 GiB"
    api.forbidden = True
    assert open_server().log() == ""


def test_missing_rights_are_named(api):
    api.forbidden = True
    with pytest.raises(ServiceError, match="Kubernetes did not .*: 403") as error:
        open_server().start()

    assert "namespace team" in error.value.where and "ServiceAccount" in error.value.fix


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ServeLlmConfig(), "packaged models are for one machine"),
        (ServeLlmConfig(model="openai/gpt-oss-20b", quantization="int8"), "published in mxfp4"),
    ],
)
def test_what_cannot_be_served_starts_nothing(api, config, message):
    with pytest.raises(ConfigError, match=message):
        open_server(config).start()

    assert api.objects == {}
