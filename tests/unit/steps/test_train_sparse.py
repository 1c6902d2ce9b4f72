"""The curves of a training on the tracking server, and what happens without one."""

import socket

import pytest

from kosparse.adapters.tracking_mlflow import MlflowTracker
from kosparse.steps.train_sparse import live_curves


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI", "KOSPARSE_EVENTS", "RANK"):
        monkeypatch.delenv(name, raising=False)


def point(curves):
    curves.take(1, {"loss": 0.5}, examples=4, active_dims=150.0, learning_rate=3e-4)


def test_without_a_tracking_server_the_line_is_all(capsys):
    with live_curves(0.0) as curves:
        point(curves)
    assert curves.line and not capsys.readouterr().err


def test_a_server_that_is_gone_stops_no_training(monkeypatch, capsys):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{held.getsockname()[1]}")
        with live_curves(0.0) as curves:
            point(curves)
        assert "training goes on without its curves" in capsys.readouterr().err
        with pytest.raises(ZeroDivisionError), live_curves(0.0):
            raise ZeroDivisionError  # its own error, not the server's
        assert "the failure is not marked" in capsys.readouterr().err


@pytest.mark.services
def test_a_training_that_fails_is_marked_so_on_the_server(mlflow_server, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    monkeypatch.setenv("KOSPARSE_RUN_ID", "r-live")
    with pytest.raises(ZeroDivisionError), live_curves(0.0) as curves:
        point(curves)
        raise ZeroDivisionError

    client = mlflow.MlflowClient(tracking_uri=mlflow_server)
    parent = MlflowTracker(mlflow_server).start_run("r-live", "x", {})
    (nested,) = client.search_runs(
        [client.get_run(parent).info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'"
    )
    assert nested.info.status == "FAILED" and nested.data.metrics["active_dims"] == 150.0


def test_of_several_processes_the_first_draws(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://nobody")
    with live_curves(0.0) as curves:
        point(curves)
    assert not capsys.readouterr().err
