"""``train_sparse`` on several nodes: what goes to them, what comes back, and what is left when it goes wrong."""

import json
import os
import signal
from types import SimpleNamespace

import pytest

from kosparse.adapters import store_s3, train_job_kubernetes
from kosparse.adapters.train_job_kubernetes import KubernetesTrainJob
from kosparse.corpus.units import load_units
from kosparse.errors import ConfigError, InputError, ServiceError
from kosparse.jsonl import write_json
from kosparse.sparse.node_data import NodeData
from kosparse.steps import train_nodes, train_sparse
from tests.fakes.kubernetes_api import FakeKubernetes
from tests.fakes.memory_store import MemoryStore
from tests.fakes.tiny_training import tiny_training_set, write_tiny_backbone

CONFIG = {"train": "all", "nodes": 2, "max_steps": 2, "batch_size": 4, "active_dims": 60.0, "closed_form": False}
OUTPUTS = ("model", "history")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """What ``train_sparse`` is given, by name."""
    folder = tmp_path_factory.mktemp("inputs")
    texts, _ = write_tiny_backbone(folder, "pieces")
    tiny_training_set(texts).save(folder / "training_set", {})
    write_json(folder / "idf", dict.fromkeys(load_units(folder / "backbone").names, 1.0))
    write_json(folder / "trends", {"note": "", "terms": {}})
    (folder / "dictionary").write_text("")
    return {name: folder / name for name in train_sparse.run.inputs}


@pytest.fixture
def store(monkeypatch):
    kept = MemoryStore()
    monkeypatch.setattr(store_s3, "open_store", lambda: kept)
    monkeypatch.setenv("S3_ENDPOINT", "http://minio:9000")
    monkeypatch.setenv("KOSPARSE_CHECKPOINTS", "")
    return kept


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(KubernetesTrainJob, "_image", lambda self: "kosparse-gpu:1")
    monkeypatch.setattr(train_job_kubernetes, "_LOOK_SECONDS", 0.05)
    with FakeKubernetes() as server:
        yield server


def train(inputs, folder, **config):
    outputs = {name: folder / name for name in OUTPUTS}
    return train_sparse.run(config={**CONFIG, **config}, **inputs, **outputs)


def end(body, kind):
    body["status"] = {"conditions": [{"type": kind, "status": "True", "reason": "", "message": ""}]}


def during_the_wait(monkeypatch, cluster, action):
    """Have something happen, once, while the step waits for its TrainJob."""
    waiting = [action]

    def sleep(_):
        (waiting.pop() if waiting else list)()

    monkeypatch.setattr(train_job_kubernetes, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: 0.0))


def test_the_step_brings_back_the_model_that_its_nodes_trained(inputs, store, cluster, monkeypatch, tmp_path):
    def node():
        [body] = cluster.of_kind("TrainJob")
        *_, command, address = body["spec"]["trainer"]["command"]
        assert command == "train-node"
        train_nodes.train_as_node(address)
        end(body, "Complete")

    during_the_wait(monkeypatch, cluster, node)
    metrics = train(inputs, tmp_path / "nodes")
    alone = train(inputs, tmp_path / "alone", nodes=1)

    assert metrics == alone and metrics["steps"] == 2.0
    for file in (path.relative_to(tmp_path / "alone") for path in (tmp_path / "alone").rglob("*.safetensors")):
        assert (tmp_path / "nodes" / file).read_bytes() == (tmp_path / "alone" / file).read_bytes()
    assert (tmp_path / "nodes" / "history").read_text().count("validation_kl") > 1
    assert store.objects == {} and cluster.of_kind("TrainJob") == []


def test_nothing_is_left_of_a_training_that_failed(inputs, store, cluster, tmp_path):
    cluster.created = lambda body: end(body, "Failed")
    with pytest.raises(ServiceError, match="the training on 2 nodes has failed"):
        train(inputs, tmp_path)
    assert store.objects == {} and cluster.of_kind("TrainJob") == []


def test_nor_of_one_whose_pod_is_told_to_end(inputs, store, cluster, monkeypatch, tmp_path):
    during_the_wait(monkeypatch, cluster, lambda: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        train(inputs, tmp_path)
    assert store.objects == {} and cluster.of_kind("TrainJob") == [] and len(cluster.deleted) == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_training_that_left_no_model_is_no_success(inputs, store, cluster, tmp_path):
    cluster.created = lambda body: end(body, "Complete")
    with pytest.raises(InputError, match="model is not among the outputs of the training's nodes"):
        train(inputs, tmp_path)


def test_what_nodes_are_told_holds_no_credential(inputs, store, cluster, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "LLM_API_KEY"):
        monkeypatch.setenv(name, "planted-secret-4711")
    told = []

    def look(body):
        told.append(json.dumps(body).encode())
        told.extend(store.objects.values())
        end(body, "Failed")

    cluster.created = look
    with pytest.raises(ServiceError):
        train(inputs, tmp_path)
    assert len(told) > 5 and not [each for each in told if b"planted-secret-4711" in each]
    assert {"name": "S3_ENDPOINT", "value": "http://minio:9000"} in json.loads(told[0])["spec"]["trainer"]["env"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("KUBERNETES_SERVICE_HOST", "", "this is no cluster"),
        ("S3_ENDPOINT", "", "need an object store"),
        ("KOSPARSE_NODE_DATA", "bucket/prefix", "not an address of node data: 'bucket/prefix"),
    ],
)
def test_what_it_cannot_do_without_is_named(name, value, message, inputs, store, cluster, monkeypatch, tmp_path):
    monkeypatch.setenv(name, value) if value or name == "S3_ENDPOINT" else monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match=message):
        train(inputs, tmp_path)
    assert store.objects == {} and cluster.objects == {}


def test_a_head_is_not_trained_on_nodes(inputs, tmp_path):
    with pytest.raises(ConfigError, match="2 nodes cannot share the training of a head"):
        train(inputs, tmp_path, train="head")


def test_files_and_folders_come_back_as_they_went(store, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a").write_text("안녕", encoding="utf-8")
    data = NodeData(store, "s3://bucket/p/1/")
    data.give("inputs", {"folder": tmp_path / "in", "file": tmp_path / "in" / "deep" / "a"})
    data.take("inputs", {"folder": tmp_path / "out", "file": tmp_path / "file"})

    assert (tmp_path / "out" / "deep" / "a").read_text(encoding="utf-8") == (tmp_path / "file").read_text() == "안녕"
    assert store.buckets == {"bucket"} and "bucket/p/1/inputs/folder/deep/a" in store.objects
    data.forget()
    assert store.objects == {}


def test_data_that_cannot_be_removed_is_told(store, capsys):
    store.broken = True
    NodeData(store, "s3://bucket/p").forget()
    assert "data of the nodes stay at s3://bucket/p" in capsys.readouterr().err
