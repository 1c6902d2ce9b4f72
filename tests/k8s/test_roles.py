"""The Role of a run allows what the adapter asks of Kubernetes, and nothing more."""

import inspect
import re

import pytest
from kubernetes import client
from kubernetes.client.rest import ApiException

from k8s.build import overlays
from kosparse.adapters import llm_server_kubernetes
from kosparse.adapters.llm_server_kubernetes import KubernetesLlmServer
from kosparse.config import ServeLlmConfig
from kosparse.errors import ServiceError

_GROUPS = {"jobs": "batch", "services": "", "pods": "", "pods/log": ""}
_RESOURCES = {"job": "jobs", "service": "services", "pod": "pods", "pod_log": "pods/log"}
_VERBS = {"read": "get", "list": "list", "create": "create", "delete": "delete"}


class RecordingApi(client.ApiClient):
    """Answers as a cluster would where the Job has ended, and keeps what was asked."""

    def __init__(self):
        super().__init__(client.Configuration(host="http://nowhere.invalid"))
        self.asked = set()

    def call_api(self, resource_path, method, path_params=None, *_, **__):
        kind, *rest = resource_path.split("/namespaces/{namespace}/")[1].split("/")
        resource = "/".join([kind, *rest[1:]])
        verb = {"GET": "get" if rest else "list", "POST": "create", "DELETE": "delete"}[method]
        self.asked.add((resource, verb))
        if (resource, verb) == ("jobs", "get"):
            ended = client.V1JobCondition(type="Failed", status="True")
            return client.V1Job(status=client.V1JobStatus(conditions=[ended]))
        pod = client.V1Pod(metadata=client.V1ObjectMeta(name="pod-1"), status=client.V1PodStatus())
        if resource == "pods":
            return pod if verb == "get" else client.V1PodList(items=[pod])
        if resource == "pods/log":
            raise ApiException(status=404, reason="NotFound")
        return None


@pytest.fixture
def recorded(monkeypatch):
    """What a server's life asks for: start where one is left over, check with its log, stop."""
    api = RecordingApi()
    monkeypatch.setattr(llm_server_kubernetes, "_api", lambda: api)
    monkeypatch.setenv("POD_NAMESPACE", "kosparse")
    config = ServeLlmConfig(model="openai/gpt-oss-20b", quantization="mxfp4")
    server = KubernetesLlmServer(config, "run-1", image="kosparse-vllm:1")
    server.start()
    with pytest.raises(ServiceError, match="has ended"):
        server.check()
    server.stop()
    return api.asked


def written():
    """What the adapter's source can ask for."""
    calls = re.findall(r"\.(read|list|create|delete)_namespaced_(\w+)", inspect.getsource(llm_server_kubernetes))
    assert "patch_namespaced" not in inspect.getsource(llm_server_kubernetes)
    return {(_RESOURCES[resource], _VERBS[verb]) for verb, resource in calls}


def allowed(role):
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_recorded_life_of_a_server_asks_for_all_that_is_written(recorded):
    assert recorded == written()


@pytest.mark.parametrize("overlay", overlays())
def test_the_role_allows_just_that(overlay, built, find):
    role = find(built(overlay), "Role", "kosparse-llm-server")

    assert allowed(role) == {(_GROUPS[resource], resource, verb) for resource, verb in written()}


@pytest.mark.parametrize(("overlay", "account"), [("gpu", "default-editor"), ("local", "pipeline-runner")])
def test_it_is_given_to_the_accounts_runs_have(overlay, account, built, find):
    documents = built(overlay)
    binding = find(documents, "RoleBinding", "kosparse-llm-server")

    space = find(documents, "ConfigMap", "kosparse")["metadata"]["namespace"]
    assert [(each["name"], each["namespace"]) for each in binding["subjects"]] == [
        ("kosparse-runner", space),
        (account, space),
    ]
