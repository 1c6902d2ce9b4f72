"""How the embedded MLflow is started. That it serves is shown by the whole-graph test."""

from pathlib import Path

import pytest

from kosparse.errors import ServiceError
from kosparse.services.mlflow import MlflowServer


def arguments(server: MlflowServer) -> dict[str, str]:
    command = server._command(5000)
    return dict(zip(command, command[1:], strict=False))


def test_artifacts_go_to_the_store_that_is_given(tmp_path):
    server = MlflowServer(tmp_path, {"S3_ENDPOINT": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a"})

    assert arguments(server)["--artifacts-destination"] == "s3://mlflow/artifacts"
    assert server._environment()["MLFLOW_S3_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert arguments(server)["--backend-store-uri"] == f"sqlite:///{tmp_path}/mlflow.db"


def test_without_a_store_artifacts_are_files_and_no_credentials_are_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ours")
    server = MlflowServer(tmp_path, {})

    assert arguments(server)["--artifacts-destination"] == str(tmp_path / "artifacts")
    assert server._environment()["AWS_SECRET_ACCESS_KEY"] is None


def test_the_server_is_no_client_of_another_one_and_sends_no_telemetry(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    environment = MlflowServer(tmp_path, {})._environment()

    assert environment["MLFLOW_TRACKING_URI"] is None
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_missing_environment_is_told_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(ServiceError, match="program is missing") as caught:
        MlflowServer(tmp_path, {}, python=Path("/nowhere/python")).start()
    assert "setup.sh" in caught.value.fix


def test_a_store_that_does_not_answer_is_told_before_mlflow_is_started(tmp_path):
    with pytest.raises(ServiceError, match="object store does not answer"):
        MlflowServer(tmp_path, {"S3_ENDPOINT": "http://127.0.0.1:9"}).start()
    assert not (tmp_path / "mlflow.log").exists()
