"""The cluster's server, against a stand-in for the Kubernetes API that keeps objects and refuses."""

import socket

import pytest

from kosparse.adapters.llm_server_kubernetes import KubernetesLlmServer
from kosparse.config import ServeLlmConfig
from kosparse.errors import ConfigError, ServiceError
from tests.fakes.kubernetes_api import FakeKubernetes, pod

CONFIG = ServeLlmConfig(model="openai/gpt-oss-20b", quantization="mxfp4")
NAMESPACE = "/api/v1/namespaces/team"
JOB = "/apis/batch/v1/namespaces/team/jobs/kosparse-llm-run-7"
SERVICE = f"{NAMESPACE}/services/kosparse-llm-run-7"


@pytest.fixture
def api():
    with FakeKubernetes() as server:
        yield server


def open_server(config=CONFIG):
    return KubernetesLlmServer(config, "Run_7", image="kosparse-vllm:1", api_key="k")


def server_pod(**waiting):
    return pod("server-1", {"kosparse/run": "kosparse-llm-run-7"}, **waiting)


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
    api.pods = [server_pod(reason="ContainerCreating"), server_pod()]
    open_server().check()


def test_a_server_that_has_ended_shows_its_last_words(api):
    open_server().start()
    fail_the_job(api)
    api.pods, api.logs = [server_pod()], {"server-1": "torch.OutOfMemoryError: 메모리".encode()}
    with pytest.raises(ServiceError, match="OutOfMemoryError: 메모리") as error:
        open_server().check()
    assert "kosparse-llm-run-7" in error.value.where


def test_an_image_that_cannot_be_pulled_is_not_waited_for(api):
    open_server().start()
    api.pods = [server_pod(reason="ImagePullBackOff", message="kosparse-vllm:1 not found")]
    with pytest.raises(ServiceError, match="ImagePullBackOff: kosparse-vllm:1 not found"):
        open_server().check()


def test_the_log_is_the_pods(api):
    assert open_server().log() == ""
    api.pods, api.logs = [server_pod()], {"server-1": b"Model loading took 12.8 GiB"}
    assert open_server().log() == "Model loading took 12.8 GiB"
    api.forbidden = True
    assert open_server().log() == ""


def test_missing_rights_are_named(api):
    api.forbidden = True
    with pytest.raises(ServiceError, match="Kubernetes did not .*: 403") as error:
        open_server().start()

    assert "namespace team" in error.value.where and "ServiceAccount" in error.value.fix
    for call in (open_server().check, open_server().stop):
        with pytest.raises(ServiceError, match="403 planted"):
            call()


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
