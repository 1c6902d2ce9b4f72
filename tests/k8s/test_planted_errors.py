"""One error in each kind of manifest, and the rule that catches it."""

import pytest
import yaml

from k8s.build import overlays
from k8s.check.__main__ import excepted, problems

DEPLOYMENT, STATEFUL, JOB = ("Deployment", "mlflow"), ("StatefulSet", "minio"), ("Job", "kosparse-buckets")
SERVICE, CLAIM, BUDGET = (
    ("Service", "mlflow"),
    ("PersistentVolumeClaim", "kosparse-models"),
    ("PodDisruptionBudget", "minio"),
)
CONFIG, ROLE, BINDING = ("ConfigMap", "kosparse"), ("Role", "kosparse-llm-server"), ("RoleBinding", "kosparse-task")
QUOTA, RANGE, ACCOUNT = ("ResourceQuota", "kosparse"), ("LimitRange", "kosparse"), ("ServiceAccount", "kosparse-runner")
SPACE, POLICY, SERVED = ("Namespace", "kosparse"), ("NetworkPolicy", "postgres"), ("InferenceService", "kosparse-llm")
RUNTIME, NODES = ("TrainingRuntime", "kosparse-train"), ("NetworkPolicy", "kosparse-train")
CONTAINER = "spec.template.spec.containers.0"
NODE_JOB = "spec.template.spec.replicatedJobs.0"
NODE_POD = f"{NODE_JOB}.template.spec.template.spec"

GONE = object()

PLANTED = [
    # types: unknown fields, wrong types, missing fields, values that cannot be
    (DEPLOYMENT, "spec.replica", 1, "types", "spec.replica: unknown field"),
    (DEPLOYMENT, "spec.replicas", "1", "types", "spec.replicas: '1' is not of type int"),
    (DEPLOYMENT, "spec.selector", GONE, "types", "spec.selector: is missing"),
    (DEPLOYMENT, f"{CONTAINER}.env.0.valueFrom.secretKeyRef.key", GONE, "types", "secretKeyRef.key: is missing"),
    (DEPLOYMENT, f"{CONTAINER}.resources.limits.memory", "3Gb", "types", "'3Gb' is not a quantity"),
    (STATEFUL, "spec.serviceNmae", "minio", "types", "unknown field"),
    (STATEFUL, "spec.volumeClaimTemplates.0.spec.accessModes", ["ReadWriteTwice"], "types", "is none of"),
    (JOB, "spec.backoffLimit", True, "types", "True is not of type int"),
    (JOB, "spec.template.spec.restartPolicy", "Sometimes", "types", "is none of"),
    (SERVICE, "spec.ports.0.port", "5000", "types", "is not of type int"),
    (SERVICE, "spec.ports.0.nodeport", 31000, "types", "unknown field"),
    (CLAIM, "spec.resources.requests.storage", 100, "types", "is not a quantity"),
    (BUDGET, "spec.selector.matchLabel", {}, "types", "unknown field"),
    (CONFIG, "data.s3_endpoint", 9000, "types", "is not of type str"),
    (ROLE, "rules.0.verb", ["get"], "types", "unknown field"),
    (BINDING, "roleRef.kind", "Rôle", "types", "is none of"),
    (QUOTA, "spec.hard.pods", "many", "types", "is not a quantity"),
    (RANGE, "spec.limits.0.type", GONE, "types", "type: is missing"),
    (ACCOUNT, "automountServiceAccountToken", "no", "types", "is not of type bool"),
    (SPACE, "metadata.labels", ["a"], "types", "is not a mapping"),
    (SPACE, "metadata.name", "Kosparse_1", "types", "is not a name"),
    (POLICY, "spec.podSelectors", {}, "types", "unknown field"),
    (POLICY, "spec.policyTypes", ["Inside"], "types", "is none of"),
    (SERVED, "spec.predictor.minReplica", 1, "types", "unknown field"),
    (SERVED, "spec.predictor.containers.0.image", 1, "types", "is not of type str"),
    (SERVED, "spec.predictor", GONE, "types", "spec.predictor: is missing"),
    (SERVED, "kind", "InferenceServices", "types", "unknown kind 'InferenceServices'"),
    (SERVED, "apiVersion", "serving.kserve.io/v1", "types", "unknown kind"),
    (DEPLOYMENT, "apiVersion", "extensions/v1beta1", "types", "unknown kind"),
    # the restricted profile
    (DEPLOYMENT, f"{CONTAINER}.securityContext.privileged", True, "restricted", "is privileged"),
    (DEPLOYMENT, f"{CONTAINER}.securityContext.allowPrivilegeEscalation", GONE, "restricted", "may gain privileges"),
    (DEPLOYMENT, f"{CONTAINER}.securityContext.capabilities.add", ["NET_ADMIN"], "restricted", "capabilities"),
    (DEPLOYMENT, f"{CONTAINER}.securityContext.capabilities", GONE, "restricted", "capabilities"),
    (DEPLOYMENT, f"{CONTAINER}.securityContext.runAsUser", 0, "restricted", "runs as root"),
    (DEPLOYMENT, f"{CONTAINER}.ports.0.hostPort", 5000, "restricted", "reaches into the host"),
    (STATEFUL, "spec.template.spec.securityContext.runAsNonRoot", GONE, "restricted", "may run as root"),
    (JOB, "spec.template.spec.securityContext.seccompProfile", GONE, "restricted", "has no seccomp profile"),
    (SERVED, "spec.predictor.securityContext.runAsNonRoot", False, "restricted", "may run as root"),
    (STATEFUL, "spec.template.spec.volumes.0", {"name": "tmp", "hostPath": {"path": "/"}}, "host", "is a hostPath"),
    (STATEFUL, "spec.template.spec.hostNetwork", True, "host", "hostNetwork is on"),
    (STATEFUL, "spec.template.spec.automountServiceAccountToken", GONE, "token", "token"),
    (DEPLOYMENT, f"{CONTAINER}.securityContext.readOnlyRootFilesystem", False, "read-only", "can be written"),
    # bounded, watched, of a known image
    (DEPLOYMENT, f"{CONTAINER}.resources.limits", GONE, "resources", "has no limits.memory"),
    (JOB, f"{CONTAINER}.resources.requests.cpu", GONE, "resources", "has no requests.cpu"),
    (SERVED, "spec.predictor.containers.0.resources.limits.memory", GONE, "resources", "has no limits.memory"),
    (STATEFUL, f"{CONTAINER}.readinessProbe", GONE, "probes", "has no readinessProbe"),
    (SERVED, "spec.predictor.containers.0.livenessProbe", GONE, "probes", "has no livenessProbe"),
    (DEPLOYMENT, f"{CONTAINER}.image", "ghcr.io/mlflow/mlflow:latest", "image", "moves"),
    (DEPLOYMENT, f"{CONTAINER}.image", "registry:5000/mlflow", "image", "has no tag"),
    # rights, secrets, namespaces
    (ROLE, "rules.0.verbs", ["*"], "rights", "may *"),
    (ROLE, "rules.0.resources", ["*"], "rights", "everything"),
    (("Role", "kosparse-task"), "rules.3.resourceNames", GONE, "rights", "more secrets"),
    (("Role", "kosparse-task"), "rules.1.resources", ["pods/exec"], "rights", "act as other pods"),
    (CONFIG, "kind", "Secret", "secrets", "never built"),
    (CONFIG, "data.note", "password: hunter2hunter2", "secrets", "seems to hold a credential"),
    (DEPLOYMENT, f"{CONTAINER}.env.0", {"name": "DB_PASSWORD", "value": "correcthorse"}, "secrets", "DB_PASSWORD"),
    (CONFIG, "metadata.namespace", "elsewhere", "namespaces", "is not made here"),
    (("Namespace", "kosparse-services"), "metadata.labels", {}, "namespaces", "Pod Security"),
    (SERVICE, "spec.type", "LoadBalancer", "exposed", "outside the cluster"),
    # references
    (DEPLOYMENT, f"{CONTAINER}.env.0.valueFrom.secretKeyRef.key", "pasword", "references", "no kosparse-postgres"),
    (JOB, "spec.template.spec.volumes.0.configMap.name", "bucket", "references", "no config map bucket"),
    (STATEFUL, f"{CONTAINER}.volumeMounts.0.name", "date", "references", "no volume date"),
    (CLAIM, "metadata.name", "models", "references", "no claim kosparse-models"),
    (SERVICE, "spec.selector", {"app": "mlflow"}, "references", "selects no pod"),
    (SERVICE, "spec.ports.0.targetPort", 5001, "references", "no container has port 5001"),
    (BUDGET, "spec.selector.matchLabels", {"app": "minio"}, "references", "selects no pod"),
    (DEPLOYMENT, "spec.selector.matchLabels", {"app": "mlflow"}, "references", "does not select its own pods"),
    (BINDING, "roleRef.name", "kosparse-tasks", "references", "no role kosparse-tasks"),
    (BINDING, "subjects.0.namespace", "default", "references", "no account default/kosparse-runner"),
    # network flows
    (("NetworkPolicy", "default-deny"), "spec.podSelector.matchLabels", {"a": "b"}, "default-deny", "by default"),
    (POLICY, "spec.ingress.0.ports.0.port", 5433, "flows", "mlflow -> postgres:5432: is needed"),
    (POLICY, "spec.ingress.0.from", [{"namespaceSelector": {}}], "flows", "stranger -> postgres:5432: must not be"),
    (("NetworkPolicy", "dns"), "spec.egress.0.ports", [{"port": 53}], "flows", "mlflow -> dns:53/UDP: is needed"),
    (("NetworkPolicy", "kosparse-steps"), "spec.egress.2", GONE, "flows", "step -> llm:8000: is needed"),
    (("NetworkPolicy", "minio"), "spec.ingress.0.from.1", GONE, "flows", "step -> minio:9000: is needed"),
    (("NetworkPolicy", "mlflow"), "spec.policyTypes", ["Ingress"], "flows", "mlflow -> minio:9000: is needed"),
    (SPACE, "metadata.labels.kosparse/runs", GONE, "flows", "step -> mlflow:5000: is needed"),
]

PLANTED_FOR_NODES = [
    (RUNTIME, "spec.templates", {}, "types", "spec.templates: unknown field"),
    (RUNTIME, "spec.mlPolicy.numNodes", "2", "types", "is not of type int"),
    (RUNTIME, f"{NODE_JOB}.name", GONE, "types", "name: is missing"),
    (RUNTIME, f"{NODE_POD}.containers.0.resources.limits.memory", "64Gb", "types", "is not a quantity"),
    (RUNTIME, f"{NODE_POD}.restartPolicy", "Sometimes", "types", "is none of"),
    (RUNTIME, f"{NODE_POD}.securityContext.runAsNonRoot", GONE, "restricted", "may run as root"),
    (RUNTIME, f"{NODE_POD}.containers.0.securityContext.capabilities", GONE, "restricted", "capabilities"),
    (RUNTIME, f"{NODE_POD}.containers.0.securityContext.readOnlyRootFilesystem", GONE, "read-only", "can be written"),
    (RUNTIME, f"{NODE_POD}.containers.0.resources.requests.cpu", GONE, "resources", "has no requests.cpu"),
    (RUNTIME, f"{NODE_POD}.containers.0.image", "kosparse-gpu:latest", "image", "moves"),
    (RUNTIME, f"{NODE_POD}.automountServiceAccountToken", GONE, "token", "token"),
    (RUNTIME, f"{NODE_POD}.volumes.0", {"name": "cache", "hostPath": {"path": "/"}}, "host", "is a hostPath"),
    (RUNTIME, f"{NODE_POD}.volumes.0.name", "cash", "references", "no volume cache"),
    (RUNTIME, f"{NODE_POD}.containers.0.env.0.valueFrom.secretKeyRef.key", "key", "references", "no kosparse-s3"),
    (RUNTIME, f"{NODE_POD}.containers.0.env.0", {"name": "AWS_SECRET_KEY", "value": "correcthorse"}, "secrets", "AWS"),
    (("Role", "kosparse-train"), "rules.0.verbs", ["*"], "rights", "may *"),
    (("RoleBinding", "kosparse-train"), "roleRef.name", "kosparse-trains", "references", "no role"),
    (NODES, "spec.ingress", GONE, "flows", "node -> node:29500: is needed"),
    (NODES, "spec.ingress.0.from", [{"namespaceSelector": {}}], "flows", "stranger -> node:29500: must not be"),
    (NODES, "spec.egress.0.ports", [{"port": 29500}], "flows", "node -> node:41234: is needed"),
    (NODES, "spec.egress.1", GONE, "flows", "node -> minio:9000: is needed"),
    (NODES, "spec.egress.1", {}, "flows", "node -> kubernetes:443: must not be"),
    (("NetworkPolicy", "minio"), "spec.ingress.0.from.3", GONE, "flows", "node -> minio:9000: is needed"),
]


def plant(document, path, value):
    """Set what a dotted path leads to, or remove it."""
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        document = document[step]
    if value is GONE:
        del document[last]
    else:
        document[last] = value


@pytest.mark.parametrize(("target", "path", "value", "rule", "text"), PLANTED, ids=lambda part: str(part)[:60])
def test_a_planted_error_is_caught(target, path, value, rule, text, built, find):
    assert_caught(built("kserve"), find, target, path, value, rule, text)


@pytest.mark.parametrize(
    ("target", "path", "value", "rule", "text"), PLANTED_FOR_NODES, ids=lambda part: str(part)[:60]
)
def test_one_in_what_nodes_need_is_too(target, path, value, rule, text, built, find):
    assert_caught(built("trainer"), find, target, path, value, rule, text)


def test_every_kind_there_is_has_a_planted_error(built):
    kinds = {document["kind"] for overlay in overlays() for document in built(overlay)}

    assert kinds == {target[0] for target, *_ in PLANTED + PLANTED_FOR_NODES}


def assert_caught(documents, find, target, path, value, rule, text):
    plant(find(documents, *target), path, value)

    found = [problem for problem in problems(documents) if not excepted(problem)]

    assert any(problem.rule == rule and text in str(problem) for problem in found), [str(problem) for problem in found]


@pytest.mark.parametrize(
    ("overlay", "kind", "name"),
    [
        ("gpu", "NetworkPolicy", "default-deny"),
        ("gpu", "NetworkPolicy", "kosparse-default-deny"),
        ("gpu", "NetworkPolicy", "dns"),
        ("gpu", "NetworkPolicy", "minio"),
        ("gpu", "NetworkPolicy", "postgres"),
        ("gpu", "NetworkPolicy", "mlflow"),
        ("gpu", "NetworkPolicy", "buckets"),
        ("gpu", "NetworkPolicy", "kosparse-dns"),
        ("gpu", "NetworkPolicy", "kosparse-steps"),
        ("gpu", "NetworkPolicy", "kosparse-llm"),
        ("gpu", "NetworkPolicy", "kosparse-artifacts"),
        ("external-services", "NetworkPolicy", "kosparse-external"),
        ("local", "NetworkPolicy", "kosparse-llm"),
        ("gpu", "ServiceAccount", "kosparse-runner"),
        ("gpu", "Role", "kosparse-task"),
        ("gpu", "Namespace", "kosparse"),
        ("gpu", "ConfigMap", "kosparse-buckets"),
        ("kserve", "PersistentVolumeClaim", "kosparse-models"),
        ("trainer", "NetworkPolicy", "kosparse-train"),
        ("trainer", "Role", "kosparse-train"),
    ],
)
def test_an_object_that_is_missing_is_missed(overlay, kind, name, built, find):
    documents = built(overlay)
    documents.remove(find(documents, kind, name))

    assert [problem for problem in problems(documents) if not excepted(problem)]


TRAIN_JOB = """
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: train-sparse, namespace: kosparse}
spec:
  runtimeRef: {kind: TrainingRuntime, name: kosparse-train}
  trainer:
    image: kosparse-gpu:0.1.0
    command: [torchrun, -m, kosparse.cli]
    numNodes: 2
    env: [{name: A, value: b}]
    resourcesPerNode: {limits: {nvidia.com/gpu: "1"}}
"""
PIPELINE = """
apiVersion: pipelines.kubeflow.org/v2beta1
kind: Pipeline
metadata: {name: kosparse}
spec: {displayName: kosparse}
"""
VERSION = """
apiVersion: pipelines.kubeflow.org/v2beta1
kind: PipelineVersion
metadata: {name: kosparse-1}
spec: {pipelineName: kosparse, displayName: "1", pipelineSpec: {root: {}}}
"""


@pytest.mark.parametrize("text", [TRAIN_JOB, PIPELINE, VERSION])
def test_kinds_of_trainer_and_kfp_are_known(text):
    assert problems([yaml.safe_load(text)], whole=False) == []


@pytest.mark.parametrize(
    ("text", "path", "value", "what"),
    [
        (TRAIN_JOB, "spec.trainer.numNode", 2, "unknown field"),
        (TRAIN_JOB, "spec.trainer.numNodes", "2", "is not of type int"),
        (TRAIN_JOB, "spec.runtimeRef", GONE, "spec.runtimeRef: is missing"),
        (TRAIN_JOB, "spec.runtimeRef.kind", "Runtime", "is none of"),
        (TRAIN_JOB, "spec.trainer.image", "kosparse-gpu", "has no tag"),
        (TRAIN_JOB, "kind", "PyTorchJob", "unknown kind"),
        (PIPELINE, "spec.name", "kosparse", "unknown field"),
        (PIPELINE, "kind", "Pipelines", "unknown kind"),
        (VERSION, "spec.pipelineSpec", GONE, "spec.pipelineSpec: is missing"),
        (VERSION, "spec.pipelineSpec", "root", "is not a mapping"),
    ],
)
def test_and_errors_in_them_are_caught(text, path, value, what):
    document = yaml.safe_load(text)
    plant(document, path, value)

    [problem] = problems([document], whole=False)
    assert what in str(problem)
