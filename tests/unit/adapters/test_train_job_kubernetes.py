"""A TrainJob is started, waited for and taken away, against a stand-in for the Kubernetes API."""

import json
import socket
from types import SimpleNamespace

import pytest

from k8s.check.__main__ import problems
from kosparse.adapters import train_job_kubernetes
from kosparse.adapters.train_job_kubernetes import KubernetesTrainJob
from kosparse.config import TrainSparseConfig
from kosparse.errors import ConfigError, ServiceError
from tests.fakes.kubernetes_api import FakeKubernetes, pod

CONFIG = TrainSparseConfig(train="all", nodes=3, nodes_ready_seconds=60, nodes_deadline_seconds=300)
OWNER = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "kosparse-x1", "uid": "u-1"}
JOBS = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/team/trainjobs"
ADDRESS = "s3://mlpipeline/node-data/run-7"


class Cluster(FakeKubernetes):
    """One whose TrainJobs go on by a look: each call of ``looks`` is what has happened meanwhile."""

    def __init__(self):
        super().__init__()
        self.looks, self.seconds, self.last = [], 0.0, {}
        self.created = lambda body: setattr(self, "last", body)
        me = {"metadata": {"name": "me", "ownerReferences": [OWNER]}, "spec": {"containers": [{"name": "wait"}]}}
        me["spec"]["containers"].append({"name": "main", "image": "registry.example/kosparse-gpu@sha256:1f"})
        self.me = f"/api/v1/namespaces/team/pods/{socket.gethostname()}"
        self.objects[self.me] = me

    def sleep(self, seconds):
        self.seconds += seconds
        if self.looks:
            self.looks.pop(0)()

    def nodes(self, *phases, **waiting):
        label = {"jobset.sigs.k8s.io/jobset-name": self.last["metadata"]["name"]}
        self.pods = [pod(f"node-{n}", label, phase, **waiting) for n, phase in enumerate(phases)]

    def condition(self, kind, **told):
        self.last["status"] = {"conditions": [{"type": kind, "status": "True", **told}]}


@pytest.fixture
def cluster(monkeypatch):
    with Cluster() as server:
        clock = SimpleNamespace(sleep=server.sleep, monotonic=lambda: server.seconds)
        monkeypatch.setattr(train_job_kubernetes, "time", clock)
        yield server


def run(config=CONFIG, **environment):
    KubernetesTrainJob(config, "Run_7").run(ADDRESS, {"S3_ENDPOINT": "http://minio:9000", **environment})


def failure(cluster, **config):
    """The error a training ends with; nothing is left of it."""
    with pytest.raises(ServiceError) as error:
        run(CONFIG.model_copy(update=config))
    assert cluster.of_kind("TrainJob") == [] and cluster.deleted == [cluster.last["metadata"]["name"]]
    return error.value.message


def test_it_is_waited_for_and_taken_away(cluster, capsys):
    cluster.looks = [
        lambda: cluster.nodes("Pending", "Running", "Pending"),
        lambda: cluster.nodes("Running", "Running", "Running"),
        lambda: cluster.condition("Complete"),
    ]
    run()

    assert cluster.of_kind("TrainJob") == [] and cluster.seconds == 15.0
    assert "1 of 3 nodes run\n3 of 3 nodes run\n" in capsys.readouterr().err


def test_it_says_what_differs_from_run_to_run_and_no_secret(cluster, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret-4711")
    cluster.looks = [lambda: cluster.condition("Complete")]
    run(KOSPARSE_EMBEDDER="")
    spec, metadata = cluster.last["spec"], cluster.last["metadata"]

    assert cluster.last.pop("status") and problems([cluster.last], whole=False) == []
    assert spec["runtimeRef"] == {
        "apiGroup": "trainer.kubeflow.org",
        "kind": "TrainingRuntime",
        "name": "kosparse-train",
    }
    assert spec["trainer"] == {
        "image": "registry.example/kosparse-gpu@sha256:1f",
        "command": ["torchrun", "--module", "kosparse.cli", "train-node", ADDRESS],
        "numNodes": 3,
        "numProcPerNode": 1,
        "env": [{"name": "S3_ENDPOINT", "value": "http://minio:9000"}],
    }
    assert spec["activeDeadlineSeconds"] == 300
    assert metadata["labels"]["kosparse/run"] == "kosparse-train-run-7"
    assert OWNER.items() <= metadata["ownerReferences"][0].items()
    assert len(metadata["name"]) <= 40  # its pods are called <name>-node-0-<index>-<5 letters>
    assert "planted-secret-4711" not in json.dumps(cluster.last)


def test_what_an_attempt_before_left_is_taken_away_first(cluster):
    old = {"kind": "TrainJob", "metadata": {"name": "old", "labels": {"kosparse/run": "kosparse-train-run-7"}}}
    other = {"kind": "TrainJob", "metadata": {"name": "other", "labels": {"kosparse/run": "kosparse-train-run-8"}}}
    cluster.objects |= {f"{JOBS}/old": old, f"{JOBS}/other": other}
    cluster.looks = [lambda: cluster.condition("Complete")]
    run()

    assert cluster.deleted == ["old", cluster.last["metadata"]["name"]]
    assert cluster.of_kind("TrainJob") == [other]


def test_a_training_that_fails_ends_with_the_words_of_the_node_that_failed(cluster):
    cluster.logs = {"node-0": b"another process has ended", "node-1": "ResourceError: 메모리".encode()}

    def fail():
        cluster.nodes("Running", "Failed", "Running")
        cluster.condition("Failed", reason="JobsFailed", message="1 of 1 jobs failed")

    cluster.looks = [fail]
    message = failure(cluster)
    assert "has failed: JobsFailed: 1 of 1 jobs failed; the log of node-1 ends with:\nResourceError: 메모리" in message
    assert "goes on from its checkpoint" in message


def test_nodes_for_which_there_is_no_room_are_not_waited_for_for_ever(cluster):
    def pending():
        cluster.nodes("Running", "Pending", "Pending")
        told = {"type": "PodScheduled", "status": "False", "message": "0/4 nodes are available: 4 Insufficient gpu."}
        cluster.pods[1]["status"]["conditions"] = cluster.pods[2]["status"]["conditions"] = [told]

    cluster.looks = [pending]
    message = failure(cluster)
    assert "has 1 of them running after 65 s; 0/4 nodes are available: 4 Insufficient gpu." in message


def test_nodes_that_are_never_made_are_told_as_that(cluster):
    assert "has 0 of them running after 65 s; it has no pods" in failure(cluster)


def test_an_image_that_cannot_be_pulled_is_not_waited_for(cluster):
    cluster.looks = [lambda: cluster.nodes("Pending", reason="ImagePullBackOff", message="not found")]
    assert "cannot start: ImagePullBackOff: not found" in failure(cluster)
    assert cluster.seconds == 5.0


def test_a_training_ends_at_its_deadline(cluster):
    cluster.looks = [lambda: cluster.nodes("Running", "Running", "Running")]
    assert "has not ended after 305 s" in failure(cluster)


def test_one_that_somebody_deletes_is_told_as_that(cluster):
    cluster.looks = [lambda: cluster.objects.pop(f"{JOBS}/{cluster.last['metadata']['name']}")]
    with pytest.raises(ServiceError, match="was deleted while it ran"):
        run()


def test_an_api_server_that_is_away_for_a_minute_ends_nothing(cluster):
    cluster.looks = [
        lambda: cluster.nodes("Running", "Running", "Running"),
        lambda: cluster.failing.extend([503] * 12),
        *[lambda: None] * 12,
        lambda: cluster.condition("Complete"),
    ]
    run()
    assert cluster.of_kind("TrainJob") == []


def test_but_one_that_stays_away_does(cluster):
    cluster.looks = [lambda: cluster.failing.extend([503] * 25)]
    assert "Kubernetes does not show TrainJob" in failure(cluster) and not cluster.failing


def test_a_cluster_without_trainer_is_told_what_it_lacks(cluster):
    cluster.failing = [404]
    with pytest.raises(ServiceError, match="Kubernetes did not list TrainJobs: 404 planted") as error:
        run()
    assert "Install Kubeflow's Trainer 2" in error.value.fix


def test_missing_rights_are_named(cluster):
    cluster.failing = [0, 0, 0, 403]
    with pytest.raises(ServiceError, match="did not create TrainJob kosparse-train-.*: 403 planted") as error:
        run()
    assert "Role kosparse-train" in error.value.fix and cluster.of_kind("TrainJob") == []


def test_without_its_own_pod_it_does_not_know_the_image(cluster):
    del cluster.objects[cluster.me]
    with pytest.raises(ConfigError, match="the image of the nodes is not known"):
        run()


def test_a_training_that_cannot_be_taken_away_is_told_and_keeps_its_result(cluster, capsys):
    def complete():
        cluster.condition("Complete")
        cluster.failing = [0, 403]

    cluster.looks = [complete]
    run()
    assert "may still run: Kubernetes did not delete TrainJob" in capsys.readouterr().err
