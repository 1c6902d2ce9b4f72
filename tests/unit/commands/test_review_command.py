"""Review, promotion and rollback against a real MLflow server."""

import httpx
import pytest

from kosparse.adapters.mlflow_rest import MlflowRest
from kosparse.adapters.review_mlflow import MlflowReview
from kosparse.cli import main
from kosparse.evaluation.review import read_champion
from kosparse.steps import check_prerequisites
from tests.unit.evaluation.test_review import measured

pytestmark = pytest.mark.services


@pytest.fixture
def server(mlflow_server):
    return mlflow_server


@pytest.fixture
def name(request, server, monkeypatch):
    """A registered model of this test's own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.delenv("S3_ENDPOINT", raising=False)
    name = request.node.name[:60].replace("[", "-").rstrip("]")
    MlflowRest(server).post("registered-models/create", name=name)
    return name


def register(server, name, values, **changes):
    """Register a version that brings its results along, as ``register_model`` does; return its number."""
    rest, found = MlflowRest(server), measured("x", values, **changes)
    run = rest.post("runs/create", experiment_id="0")["run"]["info"]
    files = {
        "results.json": found.results.model_dump_json(),
        "per_query.jsonl": "\n".join(row.model_dump_json() for row in found.queries.values()),
    }
    for file, text in files.items():
        path = f"0/{run['run_id']}/artifacts/report/{file}"
        httpx.put(f"{server}/api/2.0/mlflow-artifacts/artifacts/{path}", content=text.encode()).raise_for_status()
    source = f"runs:/{run['run_id']}/model"
    created = rest.post("model-versions/create", name=name, source=source, run_id=run["run_id"])
    number = str(created["model_version"]["version"])
    MlflowReview(server, name).set_alias("challenger", number)
    return number


def champion(server, name):
    found = MlflowReview(server, name).of_alias("champion")
    return found.number if found else None


GOOD, BETTER, BAD = [0.5, 0.6] * 40, [0.7, 0.8] * 40, [0.1, 0.2] * 40


def test_from_challenger_to_champion_and_back(server, name, capsys):
    first = register(server, name, GOOD)
    assert main(["review", "--name", name]) == 0
    assert "no champion" in capsys.readouterr().out
    assert main(["promote", first, "--name", name]) == 0
    second = register(server, name, BETTER)
    assert main(["review", "--name", name]) == 0
    out = capsys.readouterr().out
    assert "0.5500 -> 0.7500" in out and f"kosparse promote {second}" in out
    assert main(["promote", second, "--name", name]) == 0
    tags = MlflowReview(server, name).version(second).tags
    assert tags["validation_status"] == "approved" and tags["kosparse.previous_champion"] == first
    assert tags["kosparse.promoted_by"] and tags["kosparse.promoted_at"]
    assert main(["rollback", "--name", name, "--reason", "slow"]) == 0
    assert champion(server, name) == first
    assert MlflowReview(server, name).version(second).tags["validation_status"] == "rolled_back"
    assert main(["rollback", "--name", name]) == 2, "nothing was before the first"


def test_a_run_keeps_what_the_champion_measured(server, name, tmp_path):
    config = {"registered_model": name, "require_s3": False, "free_disk_gb": 0}

    def kept(folder):
        outputs = {output: tmp_path / folder / output for output in check_prerequisites.run.outputs}
        check_prerequisites.run(config=config, corpus=str(tmp_path), **outputs)
        return read_champion(outputs["champion"])

    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    number = register(server, name, GOOD)
    assert kept("first") is None
    main(["promote", number, "--name", name])
    found = kept("second")
    assert found.version == number and found.results.model_sha256 == "x"
    assert list(found.primary.values()) == GOOD


def test_a_worse_one_needs_somebody_to_answer_for_it(server, name, capsys):
    first = register(server, name, GOOD)
    main(["promote", first, "--name", name])
    worse = register(server, name, BAD)
    assert main(["promote", worse, "--name", name]) == 2
    assert "not_worse_than_champion" in capsys.readouterr().err and champion(server, name) == first
    assert main(["promote", worse, "--name", name, "--force"]) == 2, "a reason is asked for"
    assert main(["promote", worse, "--name", name, "--force", "--reason", "판정이 바뀌었다"]) == 0
    tags = MlflowReview(server, name).version(worse).tags
    assert champion(server, name) == worse and tags["validation_status"] == "forced"
    assert tags["kosparse.promotion_reason"] == "판정이 바뀌었다"
    assert "not_worse_than_champion" in tags["kosparse.promotion_gates_failed"]


def test_of_two_promotions_at_once_one_waits(server, name, capsys):
    number = register(server, name, GOOD)
    with MlflowReview(server, name).lock():
        assert main(["promote", number, "--name", name]) == 3
        assert main(["rollback", "--name", name]) == 3
    assert capsys.readouterr().err.count(f"another promotion of {name} is going on") == 2
    assert champion(server, name) is None
    assert main(["promote", number, "--name", name]) == 0


def test_a_registered_model_of_the_locks_name_is_never_deleted(server, name, capsys):
    lock = f"{name}.promotion-lock"
    MlflowRest(server).post("registered-models/create", name=lock, description="ours since 2024")
    number = register(server, name, GOOD)
    assert main(["promote", number, "--name", name]) == 2
    assert "is taken by a registered model" in capsys.readouterr().err
    assert MlflowRest(server).get("registered-models/get", name=lock)["registered_model"]["description"]


def test_what_is_not_there_is_said(server, name, capsys):
    assert main(["review", "--name", name]) == 2
    assert "challenger" in capsys.readouterr().err
    assert main(["promote", "7", "--name", name]) == 2
    assert "no version 7" in capsys.readouterr().err
    assert main(["review", "--name", "never"]) == 2
    assert "nothing is registered as never" in capsys.readouterr().err


def test_without_a_registry_it_says_which_variable(monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert main(["review"]) == 3
    assert "MLFLOW_TRACKING_URI" in capsys.readouterr().err
