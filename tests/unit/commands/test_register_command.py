"""Registering again what a run could not register: from the run's folder alone, never twice."""

import json
import socket

import pytest

from kosparse.adapters.mlflow_rest import MlflowRest
from kosparse.cli import main
from kosparse.export.hashing import folder_hash
from tests.fakes.tiny_sparse_encoder import write_tiny_sparse_encoder
from tests.unit.evaluation.world import FakeEmbedder, write_finished_run

pytestmark = pytest.mark.services


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr("kosparse.adapters.embedder.open_embedder", FakeEmbedder)
    for name in ("MLFLOW_TRACKING_URI", "KOSPARSE_RUN_ID", "MLFLOW_RUN_ID", "S3_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KOSPARSE_CACHE", str(tmp_path / "cache"))
    folder = write_finished_run(tmp_path, write_tiny_sparse_encoder(tmp_path / "model"))
    (folder / "arguments.json").write_text(json.dumps({"register_model": {"name": "again"}}))
    return folder


def test_after_an_outage_a_run_is_registered_once_and_nothing_of_it_is_lost(run, mlflow_server, monkeypatch, capsys):
    before = folder_hash(run)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert main(["register", "--run", str(run)]) == 3
    assert "does not answer" in capsys.readouterr().err and folder_hash(run) == before

    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    told = []
    for _ in range(2):
        assert main(["register", "--run", str(run)]) == 0
        told.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert told[0] == told[1] and (told[0]["name"], told[0]["version"]) == ("again", "1")
    versions = MlflowRest(mlflow_server).get("model-versions/search", filter="name='again'")["model_versions"]
    assert len(versions) == 1 and folder_hash(run) == before
    inputs = MlflowRest(mlflow_server).get("runs/get", run_id=versions[0]["run_id"])["run"]["inputs"]["dataset_inputs"]
    found = {row["dataset"]["name"]: json.loads(row["dataset"]["profile"]) for row in inputs}
    assert found == {
        "corpus": {"documents": 4, "passages": 4},
        "evaluation (real, test)": {"queries": 3, "judgements": 3, "documents": 4},
    }


def test_without_a_registry_it_says_which_variable(run, capsys):
    assert main(["register", "--run", str(run)]) == 3
    assert "MLFLOW_TRACKING_URI" in capsys.readouterr().err
