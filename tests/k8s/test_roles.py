"""The Roles of a run allow what the adapters ask of Kubernetes, and nothing more."""

import inspect
import re
from types import SimpleNamespace

import pytest
from kubernetes import client

from k8s.build import overlays
from kosparse.adapters import kubernetes_api, llm_server_kubernetes, train_job_kubernetes
from kosparse.adapters.llm_server_kubernetes import KubernetesLlmServer
from kosparse.adapters.train_job_kubernetes import KubernetesTrainJob
from kosparse.config import ServeLlmConfig, TrainSparseConfig
from kosparse.errors import ServiceError

_GROUPS = {"jobs": "batch", "services": "", "pods": "", "pods/log": "", "trainjobs": "trainer.kubeflow.org"}
_RESOURCES = {"job": "jobs", "service": "services", "pod": "pods", "pod_log": "pods/log", "custom_object": "trainjobs"}
_VERBS = {"read": "get", "get": "get", "list": "list", "create": "create", "delete": "delete"}


class RecordingApi(client.ApiClient):
    """Answers as a cluster would where everything has failed, and keeps what was asked."""

    def __init__(self):
        super().__init__(client.Configuration(host="http://nowhere.invalid"))
        self.asked = set()

    def call_api(self, resource_path, method, path_params=None, *_, **__):
        kind, *rest = resource_path.split("/namespaces/{namespace}/")[1].format(**path_params).split("/")
        resource = "/".join([kind, *rest[1:]])
        verb = {"GET": "get" if rest else "list", "POST": "create", "DELETE": "delete"}[method]
        self.asked.add((resource, verb))
        pod = client.V1Pod(metadata=client.V1ObjectMeta(name="pod-1"), status=client.V1PodStatus(phase="Failed"))
        pod.spec = client.V1PodSpec(containers=[client.V1Container(name="main", image="kosparse-gpu:1")])
        failed = {"type": "Failed", "status": "True"}
        return {
            ("jobs", "get"): client.V1Job(status=client.V1JobStatus(conditions=[client.V1JobCondition(**failed)])),
            ("pods", "get"): pod,
            ("pods", "list"): client.V1PodList(items=[pod]),
            ("pods/log", "get"): SimpleNamespace(data=b"the end"),
            ("trainjobs", "get"): {"status": {"conditions": [failed]}},
            ("trainjobs", "list"): {"items": [{"metadata": {"name": "an earlier one"}}]},
        }.get((resource, verb))


@pytest.fixture
def asked(monkeypatch):
    """What was asked of the cluster so far."""
    api = RecordingApi()
    monkeypatch.setattr(kubernetes_api, "api", lambda: api)
    monkeypatch.setenv("POD_NAMESPACE", "kosparse")
    return api.asked


def written(*modules):
    """What the sources of some modules can ask for."""
    source = "".join(inspect.getsource(module) for module in (kubernetes_api, *modules))
    assert "patch_namespaced" not in source and "cluster_custom" not in source
    calls = re.findall(r"\.(read|get|list|create|delete)_namespaced_(\w+)", source)
    return {(_RESOURCES[resource], _VERBS[verb]) for verb, resource in calls}


def allowed(role):
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def with_groups(asked):
    return {(_GROUPS[resource], resource, verb) for resource, verb in asked}


def test_the_life_of_a_server_asks_for_all_that_is_written(asked):
    config = ServeLlmConfig(model="openai/gpt-oss-20b", quantization="mxfp4")
    server = KubernetesLlmServer(config, "run-1", image="kosparse-vllm:1")
    server.start()
    with pytest.raises(ServiceError, match="has ended"):
        server.check()
    server.stop()

    assert asked == written(llm_server_kubernetes)


def test_the_life_of_a_training_on_nodes_does_too(asked):
    job = KubernetesTrainJob(TrainSparseConfig(train="all", nodes=2), "run-1")
    with pytest.raises(ServiceError, match="has failed; the log of pod-1 ends with:\nthe end"):
        job.run("s3://mlpipeline/x", {})

    assert asked == written(train_job_kubernetes)


@pytest.mark.parametrize("overlay", overlays())
def test_the_role_for_a_server_allows_just_that(overlay, built, find):
    role = find(built(overlay), "Role", "kosparse-llm-server")

    assert allowed(role) == with_groups(written(llm_server_kubernetes))


def test_the_role_for_nodes_adds_what_the_other_lacks(built, find):
    documents = built("trainer")
    server, train = (allowed(find(documents, "Role", name)) for name in ("kosparse-llm-server", "kosparse-train"))

    assert train == with_groups(written(train_job_kubernetes)) - server
    assert (
        find(documents, "RoleBinding", "kosparse-train")["subjects"]
        == (find(documents, "RoleBinding", "kosparse-llm-server")["subjects"])
    )


@pytest.mark.parametrize(("overlay", "account"), [("gpu", "default-editor"), ("local", "pipeline-runner")])
def test_they_are_given_to_the_accounts_runs_have(overlay, account, built, find):
    documents = built(overlay)
    binding = find(documents, "RoleBinding", "kosparse-llm-server")

    space = find(documents, "ConfigMap", "kosparse")["metadata"]["namespace"]
    assert [(each["name"], each["namespace"]) for each in binding["subjects"]] == [
        ("kosparse-runner", space),
        (account, space),
    ]
